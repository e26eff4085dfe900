import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildSaslResponse } from './sasl.ts'

const decode = (chunks: readonly string[]): string =>
  Buffer.from(chunks.filter((chunk) => chunk !== '+').join(''), 'base64').toString()

test('PLAIN holds account and password in UTF-8', () => {
  const response = buildSaslResponse({
    mechanism: 'PLAIN',
    account: 'jürgen',
    password: 'p w',
    required: true,
  })
  assert.equal(decode(response), 'jürgen\0jürgen\0p w')
})

test('EXTERNAL without an account is a single plus', () => {
  assert.deepEqual(buildSaslResponse({ mechanism: 'EXTERNAL', required: true }), ['+'])
})

test('long answers come in pieces of 400, a full last piece is closed with a plus', () => {
  for (const [length, sizes] of [
    [296, [400, 1]],
    [297, [400, 4]],
    [100, [140]],
  ] as const) {
    const password = 'p'.repeat(length)
    const response = buildSaslResponse({ mechanism: 'PLAIN', account: 'a', password, required: true })
    assert.deepEqual(
      response.map((chunk) => chunk.length),
      sizes,
    )
    assert.equal(decode(response), `a\0a\0${password}`)
  }
})
