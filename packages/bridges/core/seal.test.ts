import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@causeway/store/clock/system.ts'
import { seal, unseal } from './seal.ts'

const key = systemRandom.bytes(32)

test('what is sealed opens with its key, for whom it was sealed, unchanged, and only so', () => {
  const sealed = seal(key, systemRandom, 'sëcret', 'irc libera @a:b')
  assert.equal(unseal(key, sealed, 'irc libera @a:b'), 'sëcret')
  assert.equal(unseal(key, sealed, 'irc libera @c:b'), undefined)
  assert.equal(unseal(systemRandom.bytes(32), sealed, 'irc libera @a:b'), undefined)
  assert.ok(!Buffer.from(sealed).includes('cret'))
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice()
    changed[at]! ^= 1
    assert.equal(unseal(key, changed, 'irc libera @a:b'), undefined)
  }
  assert.equal(unseal(key, new Uint8Array(5), ''), undefined)
})
