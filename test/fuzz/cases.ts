import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import { requestShape, type RequestShape, type Shape } from './openapi.ts'
import { flatten, makeValue, ODD_BODIES, ODD_JSON, ODD_TEXTS, type Dice } from './values.ts'

/** One request, ready to send. `what` says what is odd about it. */
export interface FuzzCase {
  readonly what: string
  readonly method: string
  readonly path: string
  /** `none`, `bad`, or the token of a person. */
  readonly auth: 'none' | 'bad' | 'user'
  readonly body?: string | Buffer
}

/** Good values for parameters and fields by their names, so that requests get past the door. */
export type GoodValues = Readonly<Record<string, string>>

/** A long poll is not what is looked for here. */
const SHORT = '20'

function fillPath(
  template: string,
  good: GoodValues,
  dice: Dice,
  odd?: { name: string; text: string },
): string {
  return template.replaceAll(/:(\w+)/g, (_, name: string) => {
    if (odd?.name === name) return odd.text
    const value = /txn/i.test(name) ? `t${dice.next(1e9)}` : (good[name] ?? 'x')
    return encodeURIComponent(value)
  })
}

const paramNames = (template: string): string[] => [...template.matchAll(/:(\w+)/g)].map(([, name]) => name!)

/** Percent-encodes what can be; a lone surrogate cannot, and goes as broken UTF-8. */
function encode(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text).slice(0, 20_000) : '%ed%a0%80'
}

function oddPathTexts(): string[] {
  return [
    ...ODD_TEXTS.map(encode),
    '%',
    '%zz',
    '%ff',
    '%c3%28',
    '%00',
    '..',
    '%2f..%2f',
    'a%2',
    ';',
    '&',
    '=',
    '?',
  ]
}

function goodQuery(shape: RequestShape, good: GoodValues): string {
  const parts = Object.keys(shape.query).flatMap((name) => {
    if (name === 'timeout') return [`timeout=${SHORT}`]
    return good[name] === undefined ? [] : [`${name}=${encodeURIComponent(good[name])}`]
  })
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

function* queryCases(base: Omit<FuzzCase, 'what'>, shape: RequestShape, dice: Dice): Generator<FuzzCase> {
  for (const name of Object.keys(shape.query)) {
    for (let i = 0; i < 6; i += 1) {
      const text = dice.pick(ODD_TEXTS)
      // A long timeout that is well formed is a long poll, which is no fault.
      if (name === 'timeout' && /^\d+$/.test(text)) continue
      yield {
        ...base,
        what: `query ${name}=${text.slice(0, 20)}`,
        path: `${base.path}?timeout=${name === 'timeout' ? '' : SHORT}&${name}=${encode(text)}`.replace(
          'timeout=&',
          '',
        ),
      }
    }
    yield { ...base, what: `query ${name} twice`, path: `${base.path}?${name}=1&${name}=2` }
    yield { ...base, what: `query ${name} broken`, path: `${base.path}?${name}=%ff%` }
  }
}

/** Puts JSON text in the place of one field, at the top or one level below. */
function replaceField(body: Record<string, unknown>, path: readonly string[], json: string): string {
  const mark = '\u0001mark\u0001'
  const copy = structuredClone(body)
  let at: Record<string, unknown> = copy
  for (const key of path.slice(0, -1)) {
    const next = at[key]
    at =
      typeof next === 'object' && next !== null && !Array.isArray(next)
        ? (next as Record<string, unknown>)
        : (at[key] = {})
  }
  at[path.at(-1)!] = mark
  return JSON.stringify(copy).replace(JSON.stringify(mark), () => json)
}

function fieldPaths(shape: Shape, dice: Dice, depth = 0): string[][] {
  const flat = flatten(shape, dice)
  return Object.entries(flat.properties ?? {}).flatMap(([key, part]) => [
    [key],
    ...(depth < 2 ? fieldPaths(part, dice, depth + 1).map((rest) => [key, ...rest]) : []),
  ])
}

function* bodyCases(
  base: Omit<FuzzCase, 'what'>,
  body: Shape | undefined,
  good: GoodValues,
  dice: Dice,
): Generator<FuzzCase> {
  for (const [index, odd] of ODD_BODIES.entries()) yield { ...base, what: `body ${index}`, body: odd }
  const shape = body ?? {}
  const sample = (): Record<string, unknown> => {
    const value = makeValue({ type: 'object', ...shape }, dice, good)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  }
  for (let i = 0; i < 4; i += 1) yield { ...base, what: 'well-formed body', body: JSON.stringify(sample()) }
  const paths = fieldPaths(shape, dice)
  for (const path of paths.length === 0 ? [['anything']] : paths) {
    for (let i = 0; i < (path.length === 1 ? 6 : 3); i += 1) {
      const json = dice.pick(ODD_JSON)
      yield {
        ...base,
        what: `${path.join('.')}=${json.slice(0, 30)}`,
        body: replaceField(sample(), path, json),
      }
    }
    yield {
      ...base,
      what: `${path.join('.')} odd text`,
      body: replaceField(sample(), path, JSON.stringify(dice.pick(ODD_TEXTS))),
    }
  }
}

/** Every case for one endpoint, the same for the same dice. */
export function* casesFor(
  endpoint: AnyEndpoint,
  specification: ReadonlyMap<string, RequestShape> | undefined,
  good: GoodValues,
  dice: Dice,
): Generator<FuzzCase> {
  const shape = requestShape(endpoint, specification)
  const { method } = endpoint
  const takesBody = method === 'PUT' || method === 'POST'
  const plain = { method, path: fillPath(endpoint.path, good, dice) }
  const sample = takesBody
    ? { body: JSON.stringify(makeValue({ type: 'object', ...shape.body }, dice, good)) }
    : {}
  const query = goodQuery(shape, good)
  yield { ...plain, ...sample, what: 'nobody', auth: 'none', path: plain.path + query }
  yield { ...plain, ...sample, what: 'a wrong token', auth: 'bad', path: plain.path + query }
  yield { ...plain, ...sample, what: 'a good request', auth: 'user', path: plain.path + query }
  for (const name of paramNames(endpoint.path)) {
    for (const text of oddPathTexts()) {
      if (dice.next(3) > 0) continue
      const path = fillPath(endpoint.path, good, dice, { name, text })
      yield { method, path, ...sample, what: `path ${name}=${text.slice(0, 20)}`, auth: 'user' }
    }
  }
  yield* queryCases({ ...plain, ...sample, auth: 'user' }, shape, dice)
  const unique = (): string => fillPath(endpoint.path, good, dice)
  if (takesBody) {
    for (const one of bodyCases({ ...plain, auth: 'user' }, shape.body, good, dice))
      yield { ...one, path: unique() }
  }
}
