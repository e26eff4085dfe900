import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { compileRules, evaluate } from '@causeway/matrix/push-rules/evaluate.ts'
import { PushEvent } from '@causeway/matrix/push-rules/push-event.ts'
import { buildRuleset } from '@causeway/matrix/push-rules/predefined.ts'
import { NO_CHANGES } from '@causeway/matrix/push-rules/ruleset.ts'
import { ANYBODY, mentionsOf } from './mentions.ts'

const bob = '@bob.b:a.example' as UserId
const alice = '@alice:a.example' as UserId

function mentions(content: JsonObject, type = 'm.room.message', stateKey?: string): readonly string[] {
  return mentionsOf({ type, sender: alice, stateKey, content }, 'a.example')
}

test('users of ours are mentioned by name, others and the sender are not', () => {
  const named = [bob, bob, alice, '@carol:b.example', 5]
  assert.deepEqual(mentions({ 'm.mentions': { user_ids: named } } as unknown as JsonObject), [bob])
})

test('a mention of the room, of many people, or a tombstone has to be looked at', () => {
  assert.deepEqual(mentions({ 'm.mentions': { room: true, user_ids: [bob] } }), [ANYBODY])
  const many = Array.from({ length: 21 }, (_, i) => `@u${i}:a.example`)
  assert.deepEqual(mentions({ 'm.mentions': { user_ids: many } }), [ANYBODY])
  assert.deepEqual(mentions({}, 'm.room.tombstone', ''), [ANYBODY])
})

test('without mentions, whole user ids in the text count; with them, the text does not', () => {
  assert.deepEqual(mentions({ body: `hi ${bob}!` }), [bob])
  assert.deepEqual(mentions({ body: `hi ${bob}!`, 'm.mentions': {} }), [])
  assert.deepEqual(mentions({ body: 'hi bob.b' }), [])
})

test('named are exactly those whom the predefined rules highlight', () => {
  const rules = compileRules(buildRuleset(bob, NO_CHANGES), bob)
  const piece = fc.constantFrom(
    '@',
    'bob.b',
    ':a.example',
    bob,
    bob.toUpperCase(),
    alice,
    ' ',
    'x',
    '.',
    '_',
    'ä',
  )
  const userIds = fc.array(fc.constantFrom(bob, alice, 'x'), { maxLength: 3 })
  const content = fc.record(
    {
      body: fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
      msgtype: fc.constantFrom('m.text', 'm.notice', 'm.NOTICE'),
      'm.mentions': fc.oneof(fc.record({ user_ids: userIds }), fc.constantFrom({}, 'x', null)),
      'm.relates_to': fc.record({
        rel_type: fc.constantFrom('m.replace', 'm.thread'),
        event_id: fc.constant('$x' as EventId),
      }),
    },
    { requiredKeys: [] },
  )
  const type = fc.constantFrom(
    'm.room.message',
    'm.reaction',
    'm.room.member',
    'org.example',
    'm.room.encrypted',
  )
  fc.assert(
    fc.property(type, content, (eventType, made) => {
      const event = new PushEvent({ type: eventType, sender: alice, room_id: '!r', content: made })
      const verdict = evaluate(rules, event, { memberCount: 3, senderPower: 0 })
      assert.equal(mentions(made as JsonObject, eventType).includes(bob), verdict.highlight)
    }),
    { numRuns: 2_000 },
  )
})
