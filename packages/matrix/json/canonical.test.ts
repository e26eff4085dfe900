import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '@causeway/testkit/matrix/arbitraries.ts'
import { MatrixError } from '../errors/matrix-error.ts'
import type { JsonValue } from '../events/pdu.ts'
import { canonicalJson, canonicalJsonWithout } from './canonical.ts'
import fixture from './fixtures/canonical-json.json' with { type: 'json' }
import { MAX_JSON_DEPTH } from './limits.ts'
import { parseJson } from './parse.ts'

const isBadJson = (fault: unknown): boolean => fault instanceof MatrixError && fault.errcode === 'M_BAD_JSON'

for (const { input, canonical } of fixture.examples) {
  test(`the specification's example ${canonical.slice(0, 40)} comes out as printed`, () => {
    assert.equal(canonicalJson(JSON.parse(input)), canonical)
  })
}

/** The definition in its plainest words: code points compared one by one, JSON for every leaf. */
function reference(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(Object.is(value, -0) ? 0 : value)
  if (Array.isArray(value)) return `[${value.map(reference).join(',')}]`
  const bytes = (text: string): Buffer => Buffer.from(text)
  const members = Object.entries(value).toSorted(([a], [b]) => Buffer.compare(bytes(a), bytes(b)))
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${reference(item)}`).join(',')}}`
}

test('any JSON is written as the definition says: keys in the order of their UTF-8 bytes', () => {
  fc.assert(fc.property(anyJson, (value) => assert.equal(canonicalJson(value), reference(value))))
})

test('what was written reads back as the same value and is written the same again', () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      const text = canonicalJson(value)
      const back = parseJson(new TextEncoder().encode(text))
      assert.equal(canonicalJson(back), text)
      assert.equal(JSON.stringify(back).length, text.length)
    }),
  )
})

test('the loose rules write all that the strict rules accept in the same way', () => {
  fc.assert(fc.property(anyJson, (value) => assert.equal(canonicalJson(value, false), canonicalJson(value))))
})

test('astral characters sort after the whole basic plane, not between its units', () => {
  assert.equal(
    canonicalJson({ '\u{10000}': 1, '\uffff': 2, '\ud7ff': 3 }),
    '{"\ud7ff":3,"\uffff":2,"\u{10000}":1}',
  )
  assert.equal(canonicalJson({ 'a\u{1f600}': 1, 'a\ue000': 2 }), '{"a\ue000":2,"a\u{1f600}":1}')
})

test('integer-like keys sort as text, and __proto__ is a key like any other', () => {
  assert.equal(canonicalJson({ 9: 1, 10: 2 }), '{"10":2,"9":1}')
  const value = JSON.parse('{"b":1,"__proto__":{"b":2,"a":1}}') as JsonValue
  assert.equal(canonicalJson(value), '{"__proto__":{"a":1,"b":2},"b":1}')
})

test('integers up to 2^53-1 are written, and the next is refused under strict rules', () => {
  assert.equal(canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1]), '[9007199254740991,-9007199254740991]')
  for (const value of [2 ** 53, -(2 ** 53), 1.5, 1e300])
    assert.throws(() => canonicalJson({ value }), isBadJson)
})

test('room versions 1 to 5 write large integers in full and fractions as Python does', () => {
  assert.equal(canonicalJson({ b: 2 ** 53, a: 50.57 }, false), '{"a":50.57,"b":9007199254740992}')
  assert.equal(
    canonicalJson([1e21, 1e-5, 1.5e-7, 0.0001, -0], false),
    '[1000000000000000000000,1e-05,1.5e-07,0.0001,0]',
  )
})

test('infinite numbers and lone surrogates are refused whatever the rules', () => {
  for (const strict of [true, false]) {
    for (const value of [Infinity, NaN, '\ud800', 'a\udc00b', { '\ud800': 1 }, [{ x: ['\udfff'] }]]) {
      assert.throws(() => canonicalJson({ value }, strict), isBadJson)
    }
  }
})

test('what is no JSON is a fault of the program and not of the sender', () => {
  for (const value of [undefined, 1n, () => 1, Symbol('x')]) {
    assert.throws(() => canonicalJson({ value }), TypeError)
    assert.throws(() => canonicalJson({ 1: 1, value }), TypeError)
  }
})

test('nesting is written down to the limit and refused below it, without visiting a level twice', () => {
  const nested = (levels: number): JsonValue =>
    JSON.parse('{"b":1,"a":'.repeat(levels) + '1' + '}'.repeat(levels))
  assert.equal(canonicalJson(nested(MAX_JSON_DEPTH)).length, '{"b":1,"a":}'.length * MAX_JSON_DEPTH + 1)
  assert.throws(() => canonicalJson(nested(MAX_JSON_DEPTH + 1)), isBadJson)
})

test('keys can be left out of the outermost object only', () => {
  const value = { c: { a: 1 }, b: 2, a: 3 }
  assert.equal(canonicalJsonWithout(value, ['a', 'x']), '{"b":2,"c":{"a":1}}')
  assert.deepEqual(value, { c: { a: 1 }, b: 2, a: 3 })
})
