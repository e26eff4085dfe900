import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findRoomVersion } from '../room-versions/rules.ts'
import { findStateKeyFault, parseStateOwner } from './state-owner.ts'

test('a state key names its owner by itself, or before the first underscore behind the colon', () => {
  assert.equal(parseStateOwner('@ann:a.example'), '@ann:a.example')
  assert.equal(parseStateOwner('@ann:a.example_'), '@ann:a.example')
  assert.equal(parseStateOwner('@ann:a.example_b_c'), '@ann:a.example')
  assert.equal(parseStateOwner('@ann_b:a.example:8448_c'), '@ann_b:a.example:8448')
  assert.equal(parseStateOwner('@ann:[::1]_c'), '@ann:[::1]')
  for (const text of ['', '@', '@ann', '@ann_a', 'ann:a.example_b', '@ann:_b', '@ann:a b_c', '@ann:a@b_c'])
    assert.equal(parseStateOwner(text), undefined, text)
})

test('a state key that nobody can use is a fault only where state is owned, and only behind @', () => {
  const rulesOf = (version: string) => findRoomVersion(version)!
  assert.match(findStateKeyFault(rulesOf('org.matrix.msc3757.11'), '@oops')!, /user ID/)
  assert.equal(findStateKeyFault(rulesOf('org.matrix.msc3757.11'), 'oops'), undefined)
  assert.equal(findStateKeyFault(rulesOf('org.matrix.msc3757.11'), ''), undefined)
  assert.equal(findStateKeyFault(rulesOf('org.matrix.msc3757.11'), '@ann:a.example_x'), undefined)
  assert.equal(findStateKeyFault(rulesOf('11'), '@oops'), undefined)
})
