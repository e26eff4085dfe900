import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_VALUE, decodeNode, encodeNode, levelFor, nodeFromPlaces, placesOf, slotIndex } from './node.ts'

const slot = fc.option(fc.integer({ min: -MAX_VALUE, max: MAX_VALUE }), { nil: undefined })
const places = fc.array(slot, { minLength: 32, maxLength: 32 })

test('a node survives its stored form, negative and very large values included', () => {
  fc.assert(
    fc.property(fc.nat(6), places, (level, slots) => {
      const node = nodeFromPlaces(level, slots)
      if (node === undefined) return
      assert.deepEqual(decodeNode(encodeNode(node)), node)
      assert.deepEqual(placesOf(node), slots)
    }),
  )
  const extremes = nodeFromPlaces(0, [MAX_VALUE, -MAX_VALUE, MAX_VALUE])!
  assert.deepEqual(decodeNode(encodeNode(extremes)), extremes)
})

test('neighbours made together take a byte each', () => {
  const leaf = nodeFromPlaces(
    0,
    Array.from({ length: 32 }, (_, i) => 1_000_000 + i),
  )!
  assert.equal(encodeNode(leaf).length, 1 + 4 + 3 + 31)
})

test('a damaged node is refused, not misread', () => {
  const bytes = encodeNode(nodeFromPlaces(0, [300, 70_000, 5])!)
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeNode(bytes.subarray(0, length)), /state node/)
  }
  assert.throws(() => decodeNode(Uint8Array.from([...bytes, 1])), /slots/)
  assert.throws(() => decodeNode(Uint8Array.from([9, ...bytes.subarray(1)])), /slots/)
})

test('slots and levels follow the key number in base 32', () => {
  assert.deepEqual([levelFor(0), levelFor(31), levelFor(32), levelFor(1023), levelFor(1024)], [0, 0, 1, 1, 2])
  const key = 3 * 32 ** 3 + 7 * 32 ** 2 + 31 * 32 + 5
  assert.deepEqual(
    [3, 2, 1, 0].map((level) => slotIndex(key, level)),
    [3, 7, 31, 5],
  )
})
