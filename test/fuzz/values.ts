import type { Shape } from './openapi.ts'

/** A generator of numbers that repeats itself for the same seed (mulberry32). */
export interface Dice {
  /** A whole number from 0 up to but without `below`. */
  next(below: number): number
  pick<T>(list: readonly T[]): T
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const next = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
  return { next, pick: (list) => list[next(list.length)]! }
}

const LONG = 'a'.repeat(70_000)

/** Text that has broken somebody's server before: lengths, encodings, grammars, path tricks, SQL, prototypes. */
export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  LONG,
  '@',
  '@:',
  '@a:',
  `@${LONG}:x`,
  '@a:b:c:d',
  '@A\nB:x',
  '!',
  '!x',
  `!${LONG}:x`,
  '#',
  '#:',
  '$',
  '$x',
  `$${LONG}`,
  '../../etc/passwd',
  '%2e%2e%2f',
  '%',
  '%00',
  "'; DROP TABLE events; --",
  '"',
  '\\',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\u{1F600}',
  '\u202e',
  '\ufeff',
  '\uffff',
  'ﷺ'.repeat(300),
  'true',
  'null',
  '-1',
  '1e400',
  'NaN',
  '99999999999999999999999',
  'mxc://',
  'mxc://x/..',
  'mxc://x/y/z',
  'http://[::1',
  'm.room.member',
  'm.room.create',
  'org.matrix.🎉',
  'en\r\nSet-Cookie: x',
  's1_2_3',
  's999999999999_999999_x',
  't',
  '*',
  '.*.*.*.*.*',
  '(a+)+$',
]

/** JSON text of values that a field may not expect; text, since not all of it can be written by a serialiser. */
export const ODD_JSON: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e400',
  '-1e400',
  '9007199254740993',
  '1e-400',
  '123456789012345678901234567890',
  '""',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"":""}',
  '{"a":{"b":{"c":[1,2,{"d":null}]}}}',
  '{"__proto__":{"x":1}}',
  '{"constructor":1}',
  '[1,"a",null,{},[]]',
  '"\\u0000"',
  '"\\ud83d"',
  '{"\\ud83d":1}',
  '"\\ud83d\\ude00"',
  '['.repeat(90) + ']'.repeat(90),
  '['.repeat(5000) + ']'.repeat(5000),
  '{"a":'.repeat(5000) + '1' + '}'.repeat(5000),
  JSON.stringify('x'.repeat(60_000)),
  JSON.stringify('x'.repeat(1_000_000)),
  JSON.stringify(Array.from({ length: 5000 }, (_, i) => i)),
  JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, i]))),
  '"@a:b"',
  '"!a:b"',
  '"$a"',
  '["@a:b","@a:b","@a:b"]',
]

/** Whole bodies that are no request. */
export const ODD_BODIES: readonly (string | Buffer)[] = [
  '',
  ' ',
  '{',
  '}',
  '{"a"',
  '{"a":}',
  '{"a":1,}',
  "{'a':1}",
  '{"a":1}{"b":2}',
  'null',
  '[]',
  '"x"',
  '1',
  'true',
  'undefined',
  'NaN',
  '\ufeff{}',
  '{"a":"\u0001"}',
  '// comment\n{}',
  '<xml/>',
  'a=1&b=2',
  Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
  Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
  Buffer.alloc(200, 0),
  Buffer.from('{"a":"', 'utf8'),
  '{"a":"'.padEnd(1_000_000, 'x') + '"}',
  '['.repeat(100_000),
  '{"a":'.repeat(20_000) + 'null' + '}'.repeat(20_000),
]

/** Merges the branches that apply together, and takes one of those that exclude each other. */
export function flatten(shape: Shape, dice: Dice): Shape {
  const { allOf = [], anyOf, oneOf } = shape
  const choice = anyOf ?? oneOf
  const parts = [...allOf, ...(choice === undefined || choice.length === 0 ? [] : [dice.pick(choice)])]
  let merged = shape
  for (const part of parts) {
    const other = flatten(part, dice)
    merged = {
      ...other,
      ...merged,
      properties: { ...other.properties, ...merged.properties },
      required: [...(other.required ?? []), ...(merged.required ?? [])],
    }
  }
  return merged
}

/** A value that the shape allows, as far as the shape tells; `names` are good values for fields by name. */
export function makeValue(
  shape: Shape,
  dice: Dice,
  names: Readonly<Record<string, unknown>>,
  depth = 0,
): unknown {
  const flat = flatten(shape, dice)
  if (flat.const !== undefined) return flat.const
  if (flat.enum !== undefined && flat.enum.length > 0) return dice.pick(flat.enum)
  const type = typeof flat.type === 'string' ? flat.type : flat.type?.[0]
  if (type === 'object' || flat.properties !== undefined) return makeObject(flat, dice, names, depth)
  if (type === 'array') return depth > 4 ? [] : [makeValue(flat.items ?? {}, dice, names, depth + 1)]
  if (type === 'integer' || type === 'number') return dice.pick([0, 1, 10, 50])
  if (type === 'boolean') return dice.next(2) === 1
  return typeof flat.example === 'string'
    ? flat.example
    : dice.pick(['x', 'm.text', '@user:test', 'hello world'])
}

function makeObject(
  shape: Shape,
  dice: Dice,
  names: Readonly<Record<string, unknown>>,
  depth: number,
): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(shape.properties ?? {})) {
    const wanted = shape.required?.includes(key) === true || dice.next(2) === 1
    if (!wanted || depth > 4) continue
    out[key] = Object.hasOwn(names, key) ? names[key] : makeValue(part, dice, names, depth + 1)
  }
  const [free] = Object.values(shape.patternProperties ?? {})
  const extra =
    free ?? (typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined)
  if (extra !== undefined && depth < 4)
    out[dice.pick(['@user:test', 'm.x', 'a.b'])] = makeValue(extra, dice, names, depth + 1)
  return out
}
