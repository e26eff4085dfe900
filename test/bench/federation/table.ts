import type { Kind } from './servers.ts'

/** One line of the table: a figure of every repetition, and how it is written. */
export interface Line<Figures> {
  readonly title: string
  readonly of: keyof Figures & string
  readonly digits: number
}

export type Results<Figures> = ReadonlyMap<Kind, readonly Figures[]>

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return (sorted[Math.floor(half - 0.5)]! + sorted[Math.floor(half)]!) / 2
}

function cell(value: number, base: number | undefined, digits: number): string {
  const text = value.toFixed(digits)
  if (base === undefined) return text
  const ratio = value / base
  return `${text} (${ratio >= 1 ? ratio.toFixed(1) : ratio.toFixed(3)}×)`
}

/** Medians in Markdown; ratios are to the first kind. */
export function formatTable<Figures extends object>(
  title: string,
  lines: readonly Line<Figures>[],
  results: Results<Figures>,
): string {
  const kinds = [...results.keys()]
  const rows = lines.map((line) => {
    const values = kinds.map((kind) => median(results.get(kind)!.map((one) => Number(one[line.of]))))
    const cells = values.map((value, at) => cell(value, at === 0 ? undefined : values[0], line.digits))
    return `| ${line.title} | ${cells.join(' | ')} |`
  })
  return [`| ${title} | ${kinds.join(' | ')} |`, `|---|${'---:|'.repeat(kinds.length)}`, ...rows].join('\n')
}
