import fc from 'fast-check'

/** JSON values that no field expects; the large ones are made once, since there are many of them. */
const LONG = 'a'.repeat(70_000)
const NESTED_LIST = nest(60, (inner) => [inner])
const NESTED_OBJECT = nest(60, (inner) => ({ a: inner }))
const MANY = Array.from({ length: 2_000 }, (_, i) => `$event${i}:evil.test`)
const MANY_KEYS = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`key${i}`, i]))

function nest(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = wrap(value)
  return value
}

export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, -0, 1e300),
  fc.constantFrom<unknown>(2 ** 53, -(2 ** 53), 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 63, 2 ** 31),
  fc.constantFrom<unknown>('', ' ', '\u0000', '\u202e', '__proto__', 'constructor', LONG),
  fc.constantFrom<unknown>(
    '@a:evil.test',
    '@:',
    '@a',
    '!x',
    '!x:evil.test',
    '$x',
    '$x:evil.test',
    '#x:evil.test',
  ),
  fc.constantFrom<unknown>('join', 'ban', 'knock', 'invite', 'restricted', 'public', 'world_readable'),
  fc.constantFrom<unknown>([], {}, [[]], [null], [{}], ['x', {}], [['$x:evil.test', {}]], [['$x', 5]]),
  fc.constantFrom<unknown>(NESTED_LIST, NESTED_OBJECT, MANY, MANY_KEYS, { '': '' }, { a: { b: null } }),
  fc.jsonValue({ maxDepth: 2 }),
)

/** One change of a JSON value, at the place that `at` chooses among all of its places. */
export interface Mutation {
  readonly how: 'replace' | 'remove' | 'wrap' | 'repeat' | 'rename' | 'swap'
  /** Fraction of the list of places. */
  readonly at: number
  readonly value: unknown
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'wrap', 'repeat', 'rename', 'swap'),
  at: fc.double({ min: 0, max: 0.999999, noNaN: true }),
  value: oddValue,
})

/** Mostly one change: what is wrong in many places is refused for the first of them. */
export const mutations = fc.oneof(
  { weight: 6, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(mutation, { minLength: 2, maxLength: 4 }) },
)

type Holder = Record<string, unknown> | unknown[]

function placesOf(value: unknown, depth = 0): { holder: Holder; key: string }[] {
  if (typeof value !== 'object' || value === null || depth > 8) return []
  const keys = Object.keys(value).slice(0, 40)
  const holder = value as Holder
  return keys.flatMap((key) => [{ holder, key }, ...placesOf((holder as never)[key], depth + 1)])
}

function apply(root: unknown, { how, at, value }: Mutation): void {
  const places = placesOf(root)
  const place = places[Math.floor(at * places.length)]
  if (place === undefined) return
  const { key } = place
  const holder = place.holder as Record<string, unknown>
  const before = holder[key]
  const set = (name: string, to: unknown): void =>
    void Object.defineProperty(holder, name, {
      value: to,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  if (how === 'replace') set(key, value)
  else if (how === 'wrap') set(key, [before])
  else if (how === 'repeat') set(key, Array.isArray(before) ? [...before, ...before] : [before, before])
  else if (how === 'swap') set(key, places[Math.floor(((at * 7919) % 1) * places.length)]?.key)
  else if (Array.isArray(place.holder)) place.holder.splice(Number(key), 1)
  else {
    delete holder[key]
    if (how === 'rename') set(typeof value === 'string' ? value.slice(0, 300) : `${key} `, before)
  }
}

/** A copy of a JSON value with these changes. */
export function mutate(value: unknown, changes: readonly Mutation[]): unknown {
  const copy = { root: structuredClone(value) }
  for (const change of changes) apply(copy.root, change)
  return copy.root
}
