import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exceedsBytes, utf8Length } from './limits.ts'

test('the length in UTF-8 is what an encoder writes, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) =>
      assert.equal(utf8Length(text), Buffer.byteLength(text)),
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 0xffff })), (units) => {
      const text = String.fromCharCode(...units)
      assert.equal(utf8Length(text), Buffer.byteLength(text))
    }),
  )
})

test('a limit counts bytes and not characters', () => {
  assert.equal(exceedsBytes('é'.repeat(127), 255), false)
  assert.equal(exceedsBytes('é'.repeat(128), 255), true)
  assert.equal(exceedsBytes('😀'.repeat(63), 255), false)
  assert.equal(exceedsBytes('😀'.repeat(64), 255), true)
  assert.equal(exceedsBytes('a'.repeat(255), 255), false)
  assert.equal(exceedsBytes('a'.repeat(256), 255), true)
})
