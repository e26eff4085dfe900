import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import type { EventId } from '../ids/ids.ts'
import { findRoomVersion } from '../room-versions/rules.ts'
import { clientEvent, clientEventJson, redactionTarget, withUnsigned } from './client-event.ts'
import { toRoomEvent } from './make-room-event.ts'
import type { Pdu, RoomEvent } from './pdu.ts'
import { redactPdu } from './redact.ts'

const v10 = findRoomVersion('10')!
const v11 = findRoomVersion('11')!
const GONE = '$gone' as EventId

function event(more: Partial<Pdu>): RoomEvent {
  const pdu = {
    type: 'm.room.message',
    sender: '@alice:example.org',
    room_id: '!r:example.org',
    content: { body: 'hello' },
    origin_server_ts: 7,
    depth: 3,
    prev_events: ['$p'],
    auth_events: ['$a'],
    hashes: { sha256: 'x' },
    signatures: { 'example.org': { 'ed25519:1': 'x' } },
    unsigned: { age: 1 },
    origin: 'example.org',
    user_id: '@somebody:else',
    ...more,
  } as unknown as Pdu
  return toRoomEvent(v10, pdu, sha256)
}

test('clients see what the specification names and nothing else that a server sent', () => {
  const message = event({})
  assert.deepEqual(clientEvent(v10, message), {
    type: 'm.room.message',
    room_id: '!r:example.org',
    sender: '@alice:example.org',
    event_id: message.eventId,
    origin_server_ts: 7,
    content: { body: 'hello' },
  })
  assert.equal(clientEvent(v10, event({ state_key: '' })).state_key, '')
})

test('for how long an event is sticky is told as far as it says so in a valid way', () => {
  const told = (sticky: unknown): unknown =>
    clientEvent(v10, event({ msc4354_sticky: sticky })).msc4354_sticky
  assert.deepEqual(told({ duration_ms: 7, more: 1 }), { duration_ms: 7 })
  for (const wrong of [7, null, {}, [], { duration_ms: -1 }, { duration_ms: '7' }, { duration_ms: 1.5 }])
    assert.equal(told(wrong), undefined)
})

test('a redaction names its target at the top and in its content, in old and new rooms', () => {
  const old = event({ type: 'm.room.redaction', redacts: GONE, content: { reason: 'x' } })
  const recent = event({ type: 'm.room.redaction', content: { redacts: '$gone', reason: 'x' } })
  for (const [rules, redaction] of [
    [v10, old],
    [v11, recent],
  ] as const) {
    const form = clientEvent(rules, redaction)
    assert.equal(form.redacts, '$gone')
    assert.deepEqual(form.content, { reason: 'x', redacts: '$gone' })
    assert.equal(redactionTarget(rules, redaction), '$gone')
  }
  assert.deepEqual(old.pdu.content, { reason: 'x' })
})

test('a key counts as target only where the room version keeps it', () => {
  const misplaced = event({ type: 'm.room.redaction', content: { redacts: '$gone' } })
  assert.equal(clientEvent(v10, misplaced).redacts, undefined)
  const odd = event({ type: 'm.room.redaction', content: { redacts: 7 } })
  assert.equal(clientEvent(v11, odd).redacts, undefined)
  assert.equal(clientEvent(v10, event({ redacts: GONE })).redacts, undefined)
})

test('a redacted redaction of an old room has no target left', () => {
  const old = event({ type: 'm.room.redaction', redacts: GONE })
  const redacted = { ...old, pdu: redactPdu(v10, old.pdu) }
  assert.deepEqual(clientEvent(v10, redacted).content, {})
  assert.equal(clientEvent(v10, redacted).redacts, undefined)
})

test('unsigned is spliced into the JSON without reading it', () => {
  const json = clientEventJson(v10, event({}))
  assert.deepEqual(JSON.parse(withUnsigned(json, '{"age":5}')), {
    ...clientEvent(v10, event({})),
    unsigned: { age: 5 },
  })
})

test('an event that names no room is refused, but for the create event of version 12', () => {
  const { room_id: _, ...pdu } = event({}).pdu
  const v12 = findRoomVersion('12')!
  assert.throws(() => toRoomEvent(v12, pdu as Pdu, sha256), /no room_id/)
  const created = { ...pdu, type: 'm.room.create', state_key: '' } as Pdu
  const create = toRoomEvent(v12, created, sha256)
  assert.equal(create.roomId, `!${create.eventId.slice(1)}`)
  assert.throws(() => toRoomEvent(v11, created, sha256), /no room_id/)
  assert.throws(() => toRoomEvent(v12, { ...created, state_key: 'x' }, sha256), /no room_id/)
})

test('references of either form come out as ids', () => {
  const pairs = event({ prev_events: [['$a:b', { sha256: 'x' }]], auth_events: ['$c'] })
  assert.deepEqual([pairs.prevEventIds, pairs.authEventIds], [['$a:b'], ['$c']])
})
