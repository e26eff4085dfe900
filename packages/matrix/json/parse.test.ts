import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '@causeway/testkit/matrix/arbitraries.ts'
import { MatrixError } from '../errors/matrix-error.ts'
import { MAX_JSON_DEPTH } from './limits.ts'
import { parsePlain } from './parse-plain.ts'
import { parseJson, parseJsonObject } from './parse.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const refusal = (errcode: string) => (fault: unknown) =>
  fault instanceof MatrixError && fault.errcode === errcode

test('any bytes at all are read or refused with an errcode', () => {
  fc.assert(fc.property(fc.uint8Array(), outcome))
  fc.assert(fc.property(fc.string({ unit: 'binary' }), outcome))
  fc.assert(
    fc.property(
      fc.json().map((text) => text.slice(0, -1)),
      outcome,
    ),
  )
})

function outcome(input: Uint8Array | string): void {
  try {
    parseJson(input)
  } catch (fault) {
    assert.ok(fault instanceof MatrixError && ['M_NOT_JSON', 'M_BAD_JSON'].includes(fault.errcode))
  }
}

test('escaped and plain keys are read alike by both ways of reading', () => {
  fc.assert(
    fc.property(anyJson, (value) => assert.deepEqual(parsePlain(JSON.stringify(value, null, ' ')), value)),
  )
})

test('every JSON value comes back as it was', () => {
  fc.assert(fc.property(anyJson, (value) => assert.deepEqual(parseJson(bytes(JSON.stringify(value))), value)))
})

test('broken UTF-8 is refused: stray, overlong and cut-off bytes, encoded surrogates, a byte-order mark', () => {
  for (const broken of [[0xff], [0xc0, 0xaf], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
    const body = Uint8Array.from([0x22, ...broken, 0x22])
    assert.throws(() => parseJson(body), refusal('M_NOT_JSON'))
  }
  assert.throws(() => parseJson(Uint8Array.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), refusal('M_NOT_JSON'))
})

test('lone surrogates are refused in values and keys, raw and escaped, and pairs are not', () => {
  for (const text of ['"\\ud800"', '{"\\udc00":1}', '[["x\\uDBFF\\u0041"]]']) {
    assert.throws(() => parseJson(bytes(text)), refusal('M_BAD_JSON'))
  }
  assert.throws(() => parseJson('{"a":"\ud800"}'), refusal('M_BAD_JSON'))
  assert.equal(parseJson('"\\ud83d\\ude00"'), '😀')
  assert.equal(parseJson('"\\\\ud800"'), '\\ud800')
})

test('nesting is read down to the limit and refused below it, a million levels as quickly as one more', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  assert.ok(Array.isArray(parseJson(nested(MAX_JSON_DEPTH))))
  for (const levels of [MAX_JSON_DEPTH + 1, 1_000_000]) {
    assert.throws(() => parseJson(nested(levels)), refusal('M_BAD_JSON'))
    assert.throws(() => parseJson('{"a":'.repeat(levels)), refusal('M_BAD_JSON'))
  }
})

test('brackets inside of strings are no nesting', () => {
  const text = JSON.stringify({ a: '['.repeat(5000), 'b"\\': '{\\"'.repeat(2000) })
  assert.deepEqual(parseJson(text), JSON.parse(text))
})

test('a __proto__ key stays an own key and gives the object no other prototype', () => {
  const value = parseJsonObject('{"__proto__":{"admin":true}}')
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal(value['admin'], undefined)
  assert.deepEqual(Object.keys(value), ['__proto__'])
})

test('of equal keys the last one counts', () => {
  assert.deepEqual(parseJson('{"a":1,"b":2,"a":3}'), { a: 3, b: 2 })
})

test('a body that must be an object is refused when it is anything else', () => {
  for (const text of ['[]', 'null', '1', '"{}"'])
    assert.throws(() => parseJsonObject(text), refusal('M_BAD_JSON'))
  for (const text of ['', '{', '{}{}', 'undefined'])
    assert.throws(() => parseJsonObject(text), refusal('M_NOT_JSON'))
})

test('keys are read as they are spelled, whatever was read before', () => {
  for (const spelling of ['\\u0000', '\\n', '\\u0041', '\\"', '\\/', '\\u00e9\\t']) {
    for (const earlier of ['{"x":0,"\\\\":1}', '{"x":0,"\\\\n":1}', '{"x":0,"\\\\u":1}']) JSON.parse(earlier)
    const key = JSON.parse(`"${spelling}"`) as string
    assert.deepEqual(Object.keys(parseJsonObject(`{"x":0,"${spelling}" : 1}`)), ['x', key])
  }
})

test('JSON with escaped keys is read and refused as any other', () => {
  const text = '{ "\\n" : [ -0.5e1 , true,false,null, {} , [] ,"\\u0041" ] ,"a":1,"a":{"\\t":2}}'
  assert.deepEqual(parseJson(text), { '\n': [-5, true, false, null, {}, [], 'A'], a: { '\t': 2 } })
  const key = '"\\n"'
  const broken = [
    '',
    '1,',
    '01',
    '1.',
    '.5',
    '+1',
    'tru',
    '"a',
    '[1,]',
    '[',
    '{',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '"\n"',
    '1 2',
    '"\\x"',
    'NaN',
  ]
  for (const value of broken)
    assert.throws(() => parseJson(`{${key}:${value}}`), refusal('M_NOT_JSON'), value)
  for (const whole of [`{${key}:1,}`, `{${key}:1`, `{${key}:1}}`, `{${key}:1} x`])
    assert.throws(() => parseJson(whole), refusal('M_NOT_JSON'))
  assert.throws(() => parseJson(`{${key}:`.repeat(2000)), refusal('M_BAD_JSON'))
})

test('a body full of backslashes and quotes is read in linear time', () => {
  const body = { a: '\\"'.repeat(200_000), ['k\\"'.repeat(50_000)]: '\\'.repeat(200_000) }
  assert.deepEqual(parseJson(JSON.stringify(body)), body)
  assert.throws(() => parseJson('"\\'.repeat(300_000)), refusal('M_NOT_JSON'))
})
