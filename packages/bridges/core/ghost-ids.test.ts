import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createGhostIds } from './ghost-ids.ts'

const ids = createGhostIds('_b_', 'example.org')

test('a ghost’s user id is legal and tells whom it stands for, whatever the person is called', () => {
  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(word, word, (server, person) => {
      const userId = ids.userIdOf('irc', server, person)
      if (userId === undefined) return
      assert.match(userId, /^@_b_irc_[a-z0-9._=/+-]*:example\.org$/)
      assert.deepEqual(ids.parse(userId), {
        network: 'irc',
        server: server.toWellFormed(),
        remoteId: person.toWellFormed(),
      })
    }),
  )
})

test('people are told apart by every character of their id', () => {
  assert.notEqual(ids.userIdOf('irc', 'a', 'b_c'), ids.userIdOf('irc', 'a_b', 'c'))
  assert.notEqual(ids.userIdOf('irc', 'a', 'x{'), ids.userIdOf('irc', 'a', 'x='))
  assert.equal(ids.userIdOf('irc', 'a', 'x'.repeat(300)), undefined)
})

test('others are no ghosts', () => {
  for (const userId of ['@alice:example.org', '@_b_irc_a_b:evil.org', '_b_irc_a_b:example.org', '']) {
    assert.equal(ids.isGhost(userId), false)
    assert.equal(ids.parse(userId), undefined)
  }
  assert.equal(ids.parse('@_b_irc_a_b_c:example.org'), undefined)
})
