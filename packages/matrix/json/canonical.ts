import { badJson } from '../errors/matrix-error.ts'
import { compareCodePoints, sortByCodePoint } from './code-point-order.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

/**
 * Canonical JSON: shortest form, keys by code point, integers within ±(2^53−1).
 * https://spec.matrix.org/v1.19/appendices/#canonical-json
 *
 * With `strict` off, numbers outside that range are written too, as room versions 1 to 5 require
 * (`RoomVersionRules.strictCanonicalJson`); text that is not Unicode and infinite numbers are errors always.
 *
 * @throws MatrixError M_BAD_JSON for JSON that has no canonical form; TypeError for what is no JSON at all
 * (undefined, functions, bigint), which is a fault of ours and not of the sender.
 */
export function canonicalJson(value: unknown, strict = true): string {
  const arranged = arrange(value, 0)
  return arranged === ODD ? write(value, strict, 0) : JSON.stringify(arranged)
}

/** As `canonicalJson`, leaving out some keys of the outermost object. */
export function canonicalJsonWithout(object: object, omitted: readonly string[], strict = true): string {
  const rest = Object.fromEntries(Object.entries(object).filter(([key]) => !omitted.includes(key)))
  return canonicalJson(rest, strict)
}

/**
 * What `arrange` answers for a value that an object with sorted keys cannot stand for: engines list integer-like
 * keys first and give `__proto__` a meaning, and unusual numbers are printed by our own rules.
 */
const ODD = Symbol('needs the plain encoder')

/**
 * The same value with keys in canonical order, sharing whatever is in order already. `JSON.stringify` over it is
 * a third faster than joining strings: it is the engine's best-tuned path.
 */
function arrange(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : refuseText()
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : ODD
  if (typeof value === 'boolean' || value === null) return value
  if (typeof value !== 'object') throw notJson(value)
  if (depth >= MAX_JSON_DEPTH)
    throw badJson(`JSON nested deeper than ${MAX_JSON_DEPTH} levels is not accepted`)
  return Array.isArray(value) ? arrangeArray(value, depth) : arrangeObject(value, depth)
}

function arrangeArray(items: readonly unknown[], depth: number): unknown {
  let arranged: unknown[] | undefined
  for (let i = 0; i < items.length; i++) {
    const item = arrange(items[i], depth + 1)
    if (item === ODD) return ODD
    if (item === items[i]) continue
    arranged ??= items.slice()
    arranged[i] = item
  }
  return arranged ?? items
}

function arrangeObject(object: object, depth: number): unknown {
  const source = object as Record<string, unknown>
  const keys = Object.keys(source)
  for (let i = 0; i < keys.length; i++) if (isOddKey(keys[i]!)) return ODD
  if (!isSorted(keys)) return rebuild(source, sortByCodePoint(keys), 0, {}, depth)
  for (let i = 0; i < keys.length; i++) {
    const value = source[keys[i]!]
    const item = arrange(value, depth + 1)
    if (item === ODD) return ODD
    if (item === value) continue
    const before: Record<string, unknown> = {}
    for (let j = 0; j < i; j++) before[keys[j]!] = source[keys[j]!]
    before[keys[i]!] = item
    return rebuild(source, keys, i + 1, before, depth)
  }
  return source
}

/** Adds to `target` what `keys` from `start` on name, arranged. Each value is visited once, however deep. */
function rebuild(
  source: Record<string, unknown>,
  keys: readonly string[],
  start: number,
  target: Record<string, unknown>,
  depth: number,
): unknown {
  for (let i = start; i < keys.length; i++) {
    const item = arrange(source[keys[i]!], depth + 1)
    if (item === ODD) return ODD
    target[keys[i]!] = item
  }
  return target
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (compareCodePoints(keys[i - 1]!, keys[i]!) > 0) return false
  return true
}

function isOddKey(key: string): boolean {
  const first = key.charCodeAt(0)
  return (first >= 0x30 && first <= 0x39) || key === '__proto__' || !key.isWellFormed()
}

/** The plain encoder: any value, one string at a time. */
function write(value: unknown, strict: boolean, depth: number): string {
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number') return writeNumber(value, strict)
  if (typeof value === 'boolean' || value === null) return String(value)
  if (typeof value !== 'object') throw notJson(value)
  if (depth >= MAX_JSON_DEPTH)
    throw badJson(`JSON nested deeper than ${MAX_JSON_DEPTH} levels is not accepted`)
  if (Array.isArray(value)) return `[${value.map((item) => write(item, strict, depth + 1)).join(',')}]`
  const source = value as Record<string, unknown>
  const members = sortByCodePoint(Object.keys(source)).map(
    (key) => `${writeText(key)}:${write(source[key], strict, depth + 1)}`,
  )
  return `{${members.join(',')}}`
}

/** `JSON.stringify` escapes exactly what the grammar asks for, so long as the text is well-formed. */
function writeText(text: string): string {
  return text.isWellFormed() ? JSON.stringify(text) : refuseText()
}

function writeNumber(value: number, strict: boolean): string {
  if (Number.isSafeInteger(value)) return String(value)
  if (!Number.isFinite(value)) throw badJson('Numbers must be finite')
  if (strict) throw badJson('Numbers must be integers between -(2^53)+1 and (2^53)-1')
  return writeLooseNumber(value)
}

/**
 * Numbers of room versions 1 to 5 as the servers of that time printed them: integers in full, small fractions
 * with an exponent of two digits.
 */
function writeLooseNumber(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString()
  if (Math.abs(value) >= 1e-4) return String(value)
  return value.toExponential().replace(/e-(\d)$/, 'e-0$1')
}

function refuseText(): never {
  throw badJson('Text must be valid Unicode, without lone surrogates')
}

function notJson(value: unknown): TypeError {
  return new TypeError(`A value of type ${typeof value} cannot be encoded as JSON`)
}
