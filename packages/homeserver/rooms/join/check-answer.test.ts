import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import type { EventDraft } from '@causeway/matrix/events/build.ts'
import type { JsonObject, Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import type { EventId, KeyId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { roomIdOfCreate } from '@causeway/matrix/ids/room-id.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import { AnswerRefused, checkRoomAnswer, refusalByState } from './check-answer.ts'
import { completeTemplate, type WantedMembership } from './complete-template.ts'
import { signBuilt } from './signed-event.ts'
import { verifyMany } from './verify-answer.ts'

const rules = findRoomVersion('10')!
const roomId = '!room:far.test' as RoomId
const admin = '@admin:far.test' as UserId
const ours = '@user:our.test' as UserId

function makeSigner(serverName: string): Signer & { readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  return {
    serverName: serverName as ServerName,
    keyId: 'ed25519:1' as KeyId,
    publicKey: Buffer.from(x!, 'base64url').toString('base64').replace('=', ''),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64').slice(0, 86),
  }
}

const far = makeSigner('far.test')
const stranger = makeSigner('stranger.test')
const our = makeSigner('our.test')
const signers = [far, stranger, our]
const peers = {
  loadKeys: async () => (serverName: ServerName) => {
    const signer = signers.find((one) => one.serverName === serverName)
    return signer === undefined
      ? undefined
      : { publicKey: signer.publicKey, validUntilTs: Number.MAX_SAFE_INTEGER }
  },
}

interface Making {
  readonly type: string
  readonly stateKey?: string
  readonly sender?: UserId
  readonly content: JsonObject
  readonly auth?: readonly VerifiedPdu[]
  readonly room?: RoomId
  readonly signer?: Signer
}

let depth = 0
function make({
  type,
  stateKey = '',
  sender = admin,
  content,
  auth = [],
  room = roomId,
  signer = far,
}: Making) {
  const draft: EventDraft = {
    type,
    stateKey,
    sender,
    content,
    roomId: room,
    originServerTs: 1_700_000_000_000 + depth,
    depth: ++depth,
    prevEventIds: auth.length === 0 ? [] : [auth[0]!.event.eventId],
    authEventIds: auth.map(({ event }) => event.eventId),
  }
  return signBuilt(buildEvent(rules, draft, { sha256 }), signer)
}

const create = make({ type: 'm.room.create', content: { creator: admin, room_version: '10' } })
const creator = make({
  type: 'm.room.member',
  stateKey: admin,
  content: { membership: 'join' },
  auth: [create],
})
const power = make({
  type: 'm.room.power_levels',
  content: { users: { [admin]: 100 } },
  auth: [create, creator],
})
const joinRules = make({
  type: 'm.room.join_rules',
  content: { join_rule: 'public' },
  auth: [create, creator, power],
})
const base = [create, creator, power, joinRules]
const room = { roomId, rules }

function ids(pdus: readonly VerifiedPdu[]): EventId[] {
  return pdus.map(({ event }) => event.eventId)
}

describe('a room as a resident server tells it', () => {
  it('is kept whole when it is sound, auth events first, whatever its order', () => {
    const checked = checkRoomAnswer(room, { state: [...base].toReversed(), authChain: [power, creator] })
    assert.deepEqual(checked.refused, [])
    assert.deepEqual(ids(checked.ordered)[0], create.event.eventId)
    assert.equal(checked.ordered.length, base.length)
    assert.equal(checked.state.get(packStateKey('m.room.power_levels', ''))?.event, power.event)
  })

  it('loses what its auth events do not allow, and what rests on that', () => {
    const usurper = '@evil:stranger.test' as UserId
    const evil = make({
      type: 'm.room.power_levels',
      sender: usurper,
      content: { users: { [usurper]: 100 } },
      auth: [create, power],
      signer: stranger,
    })
    const resting = make({
      type: 'm.room.name',
      content: { name: 'taken over' },
      auth: [create, creator, evil],
    })
    const checked = checkRoomAnswer(room, {
      state: [...base.filter((one) => one !== power), evil, resting],
      authChain: [power],
    })
    assert.equal(checked.state.has(packStateKey('m.room.power_levels', '')), false)
    assert.equal(checked.state.has(packStateKey('m.room.name', '')), false)
    assert.deepEqual(
      checked.refused.map(({ eventId }) => eventId).toSorted(),
      ids([evil, resting]).toSorted(),
    )
  })

  it('loses events whose auth events are missing or go in a circle', () => {
    const lost = make({ type: 'm.room.name', content: { name: 'x' }, auth: [create, creator, power] })
    const checked = checkRoomAnswer(room, { state: [create, creator, joinRules, lost], authChain: [] })
    assert.deepEqual(ids(checked.ordered), ids([create, creator]))
    const loose = findRoomVersion('1')!
    const circular = (id: string, other: string): VerifiedPdu => {
      const pdu = {
        ...creator.event.pdu,
        event_id: id as EventId,
        auth_events: [[other, { sha256: '' }]],
      } as unknown as Pdu
      const authEventIds = [other as EventId]
      return {
        event: { ...creator.event, eventId: id as EventId, pdu, authEventIds },
        json: new Uint8Array(),
      }
    }
    const turning = { roomId, rules: loose }
    assert.throws(
      () =>
        checkRoomAnswer(turning, {
          state: [circular('$a:x', '$b:x'), circular('$b:x', '$a:x')],
          authChain: [],
        }),
      AnswerRefused,
    )
  })

  it('is refused without its create event, with another version, and with two events for one key', () => {
    assert.throws(() => checkRoomAnswer(room, { state: [], authChain: [] }), AnswerRefused)
    assert.throws(
      () => checkRoomAnswer({ roomId, rules: findRoomVersion('9')! }, { state: base, authChain: [] }),
      /room version "10", not 9/,
    )
    const second = make({
      type: 'm.room.join_rules',
      content: { join_rule: 'invite' },
      auth: [create, creator, power],
    })
    assert.throws(() => checkRoomAnswer(room, { state: [...base, second], authChain: [] }), /two events/)
  })

  it('must allow our join: a ban in it counts, whoever left it out of the auth events', () => {
    const join = make({
      type: 'm.room.member',
      stateKey: ours,
      sender: ours,
      content: { membership: 'join' },
      auth: [create, power, joinRules],
      signer: our,
    })
    assert.equal(
      refusalByState(rules, join.event, checkRoomAnswer(room, { state: base, authChain: [] }), false),
      undefined,
    )
    const ban = make({
      type: 'm.room.member',
      stateKey: ours,
      content: { membership: 'ban' },
      auth: [create, creator, power],
    })
    const banned = checkRoomAnswer(room, { state: [...base, ban], authChain: [] })
    assert.match(refusalByState(rules, join.event, banned, true) ?? '', /banned/)
    const without = checkRoomAnswer(room, { state: [create, creator, joinRules, power], authChain: [] })
    const closed = { ...without, ordered: without.ordered.filter((one) => one !== joinRules) }
    assert.notEqual(refusalByState(rules, join.event, closed, false), undefined)
  })

  it('loses forged events, events of other rooms and what is no event before anything else', async () => {
    const forged: JsonObject = {
      ...(power.event.pdu as unknown as JsonObject),
      content: { users: { '@evil:stranger.test': 100 } },
    }
    const unsigned = { ...(joinRules.event.pdu as unknown as JsonObject), signatures: {} }
    const elsewhere = make({
      type: 'm.room.name',
      content: { name: 'x' },
      room: '!other:far.test' as RoomId,
      auth: [create],
    })
    const wrong = make({ type: 'm.room.name', content: { name: 'x' }, auth: [create], signer: stranger })
    const sent = [
      create.event.pdu,
      forged,
      unsigned,
      elsewhere.event.pdu,
      wrong.event.pdu,
      5,
      null,
      { type: 'x' },
    ]
    const { pdus, droppedCount } = await verifyMany({ peers, clock: systemClock }, room, sent)
    assert.equal(droppedCount, sent.length - 1)
    assert.deepEqual(ids(pdus), [create.event.eventId])
    // A wrong content hash leaves what redaction keeps, which the signature covers: never the forged content.
    const named = make({ type: 'm.room.name', content: { name: 'true' }, auth: [create] })
    const renamed = { ...(named.event.pdu as unknown as JsonObject), content: { name: 'false' } }
    const redacted = await verifyMany({ peers, clock: systemClock }, room, [renamed])
    assert.deepEqual(redacted.pdus[0]?.event.pdu.content, {})
    const [again] = await verifyPdus(peers, room, [power.event.pdu])
    assert.ok(again?.ok)
  })
})

describe('a template', () => {
  const wanted: WantedMembership = {
    roomId,
    userId: ours,
    membership: 'join',
    content: { displayname: 'Us' },
    now: 5,
    newEventId: () => '$new:our.test' as EventId,
  }
  const event: JsonObject = {
    type: 'm.room.member',
    room_id: roomId,
    sender: ours,
    state_key: ours,
    content: { membership: 'join', displayname: 'Somebody else' },
    depth: 7,
    prev_events: [joinRules.event.eventId],
    auth_events: ids([create, power, joinRules]),
    origin_server_ts: 1,
  }

  it('gives our event its place, and nothing else', () => {
    const { built } = completeTemplate({ room_version: '10', event }, wanted)
    assert.deepEqual(built.pdu.content, { displayname: 'Us', membership: 'join' })
    assert.equal(built.pdu.origin_server_ts, 5)
    assert.deepEqual(built.prevEventIds, [joinRules.event.eventId])
    assert.equal(built.pdu.depth, 7)
  })

  const bad: [string, JsonObject, string?][] = [
    ['another room', { room_id: '!other:far.test' }],
    ['another user', { sender: admin }],
    ['another target', { state_key: admin }],
    ['another type', { type: 'm.room.power_levels' }],
    ['another membership', { content: { membership: 'leave' } }],
    ['no previous events', { prev_events: [] }],
    ['too many of them', { prev_events: Array.from({ length: 21 }, () => joinRules.event.eventId) }],
    ['previous events that are none', { prev_events: ['nonsense'] }],
    ['no depth', { depth: 'deep' }],
    ['a depth beyond all numbers', { depth: 2 ** 60 }],
    ['nobody who authorises', { content: { membership: 'join', join_authorised_via_users_server: 5 } }],
    ['an unknown version', {}, '99'],
    ['a version whose ids look otherwise', {}, '1'],
  ]
  for (const [what, change, version = '10'] of bad) {
    it(`is refused with ${what}`, () => {
      assert.throws(
        () => completeTemplate({ room_version: version, event: { ...event, ...change } }, wanted),
        AnswerRefused,
      )
    })
  }

  it('is refused with another version than the room has', () => {
    const known = { ...wanted, rules: findRoomVersion('9') }
    assert.throws(() => completeTemplate({ room_version: '10', event }, known), AnswerRefused)
  })

  it('of a room whose id is a hash must be of a version that has such ids', () => {
    const hashed = { ...wanted, roomId: roomIdOfCreate(create.event.eventId) }
    const template = { room_version: '10', event: { ...event, room_id: hashed.roomId } }
    assert.throws(() => completeTemplate(template, hashed), AnswerRefused)
  })
})
