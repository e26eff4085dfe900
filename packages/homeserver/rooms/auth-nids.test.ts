import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { formatAuthNids, parseAuthNids } from './auth-nids.ts'

it('numbers of auth events come back as they were, in a byte or two each', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 ** 51 }), { maxLength: 10 }), (nids) => {
      assert.deepEqual(parseAuthNids(formatAuthNids(nids)), nids)
    }),
  )
  assert.equal(formatAuthNids([1, 5, 127, 300]).length, 5)
})
