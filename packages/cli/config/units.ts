const BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }
const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * Reads 50M, 64 KiB or 30s into bytes or milliseconds. A plain number of bytes is taken as it is; a duration
 * needs its unit. Undefined for what it cannot read.
 */
export function readUnit(unit: 'bytes' | 'ms', value: unknown): number | undefined {
  if (typeof value === 'number') return unit === 'bytes' || value === 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const [, digits = '', suffix = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value) ?? []
  if (digits === '') return undefined
  // Nothing is nothing in every unit.
  if (Number(digits) === 0 && suffix === '') return 0
  const lower = suffix.toLowerCase()
  const factor = unit === 'bytes' ? BYTES[lower.replace(/i?b$/, '')] : MILLISECONDS[lower]
  return factor === undefined ? undefined : Math.round(Number(digits) * factor)
}
