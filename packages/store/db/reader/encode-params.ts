import type { ReadParam } from '../database.ts'
import type { ParamType } from '../sql-text.ts'
import { checkInteger, escapeText } from '../text.ts'

/** How one driver takes what is not text, bytes or NULL. Text comes escaped, integers checked. */
export interface ParamEncoding<P> {
  integer(value: number): P
  texts(values: readonly string[]): P
  integers(values: readonly number[]): P
}

/**
 * The parameters of a read as a driver takes them.
 * @throws TypeError when their number or a type is wrong: a driver would bind NULL instead
 */
export function encodeParams<P>(
  sql: string,
  params: readonly ReadParam[],
  types: readonly ParamType[],
  encoding: ParamEncoding<P>,
): (P | string | Uint8Array | null)[] {
  if (params.length !== types.length) {
    throw new TypeError(`${types.length} parameters expected, ${params.length} given: ${sql}`)
  }
  return types.map((type, index) => {
    const value = params[index]
    return type === 'value' ? encodeValue(value, encoding) : encodeList(value, type, encoding)
  })
}

function encodeValue<P>(
  value: ReadParam | undefined,
  encoding: ParamEncoding<P>,
): P | string | Uint8Array | null {
  if (typeof value === 'number') return encoding.integer(checkInteger(value))
  if (typeof value === 'string') return escapeText(value)
  if (value === null || value instanceof Uint8Array) return value
  throw new TypeError(
    `${Array.isArray(value) ? 'a list without ?text[] or ?int[]' : typeof value} is no parameter`,
  )
}

function encodeList<P>(value: ReadParam | undefined, type: ParamType, encoding: ParamEncoding<P>): P {
  if (!Array.isArray(value)) throw new TypeError(`?${type} takes an array`)
  const items: readonly unknown[] = value
  const wanted = type === 'text[]' ? 'string' : 'number'
  const wrong = items.findIndex((item) => typeof item !== wanted)
  if (wrong >= 0) throw new TypeError(`element ${wrong} of ?${type} is ${typeof items[wrong]}`)
  if (type === 'text[]') return encoding.texts((items as string[]).map(escapeText))
  return encoding.integers((items as number[]).map(checkInteger))
}
