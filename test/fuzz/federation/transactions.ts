import fc from 'fast-check'
import type { JsonObject, JsonValue, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { ODD_BODIES, ODD_JSON } from '../values.ts'
import { addEvent, draftEvent, resign, type EvilDraft, type EvilRoom } from './evil-room.ts'
import { mutate, mutations } from './odd.ts'
import type { World } from './world.ts'

let transactions = 0

const textOf = (world: World, pdus: readonly unknown[], edus: readonly unknown[] = []): string =>
  JSON.stringify({ origin: world.evil.name, origin_server_ts: 1, pdus, edus })

/** Sends a transaction of the enemy's. */
export function sendText(world: World, what: string, text: string): Promise<unknown> {
  return world.attack(what, 'PUT', `/_matrix/federation/v1/send/t${++transactions}`, text)
}

export function sendPdus(world: World, what: string, pdus: readonly unknown[]): Promise<unknown> {
  return sendText(world, what, textOf(world, pdus))
}

/** Events of every kind that the rooms do something with. */
const drafts = ({ mallory, alice, bob }: World, room: EvilRoom): EvilDraft[] => {
  const target = room.end!.eventId
  const relation = (type: string): JsonObject => ({
    'm.relates_to': { rel_type: type, event_id: target, key: 'x' },
  })
  const words = { msgtype: 'm.text', body: 'words' }
  return [
    { type: 'm.room.message', content: words },
    { type: 'm.room.message', content: { ...words, ...relation('m.replace'), 'm.new_content': words } },
    {
      type: 'm.room.message',
      content: { ...words, ...relation('m.thread'), 'm.mentions': { user_ids: [alice.userId], room: true } },
    },
    { type: 'm.reaction', content: relation('m.annotation') },
    { type: 'm.room.redaction', content: { redacts: target } },
    {
      type: 'm.room.encrypted',
      content: { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 's' },
    },
    {
      type: 'm.room.member',
      stateKey: mallory,
      content: { membership: 'join', displayname: 'M', avatar_url: 'mxc://a/b' },
    },
    { type: 'm.room.member', stateKey: alice.userId, content: { membership: 'ban' } },
    {
      type: 'm.room.member',
      stateKey: `@new:${room.signer.serverName}`,
      sender: `@new:${room.signer.serverName}` as UserId,
      content: { membership: 'join', join_authorised_via_users_server: bob.userId },
    },
    {
      type: 'm.room.member',
      stateKey: `@x:${room.signer.serverName}`,
      content: {
        membership: 'invite',
        third_party_invite: {
          display_name: 'x',
          signed: { mxid: '@x:y', token: 't', signatures: { a: { 'ed25519:0': 'b' } } },
        },
      },
    },
    {
      type: 'm.room.power_levels',
      stateKey: '',
      content: {
        users: { [mallory]: 50 },
        events: { 'm.room.name': 50 },
        users_default: 0,
        notifications: { room: 50 },
      },
    },
    {
      type: 'm.room.join_rules',
      stateKey: '',
      content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: room.roomId }] },
    },
    {
      type: 'm.room.server_acl',
      stateKey: '',
      content: { allow: ['*'], deny: ['*.bad.test'], allow_ip_literals: true },
    },
    {
      type: 'm.room.policy',
      stateKey: '',
      content: { via: room.signer.serverName, public_keys: { ed25519: 'x' } },
    },
    { type: 'm.room.history_visibility', stateKey: '', content: { history_visibility: 'shared' } },
    {
      type: 'm.room.canonical_alias',
      stateKey: '',
      content: { alias: `#x:${room.signer.serverName}`, alt_aliases: [] },
    },
    { type: 'm.room.tombstone', stateKey: '', content: { body: 'x', replacement_room: room.roomId } },
    {
      type: 'm.room.third_party_invite',
      stateKey: 't',
      content: {
        display_name: 'x',
        key_validity_url: 'https://127.0.0.2/',
        public_key: 'x',
        public_keys: [{ public_key: 'x' }],
      },
    },
    {
      type: 'm.space.child',
      stateKey: room.roomId,
      content: { via: [room.signer.serverName], order: 'a', suggested: true },
    },
    {
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'x', 'm.topic': { 'm.text': [{ body: 'x', mimetype: 'text/plain' }] } },
    },
    { type: 'm.room.name', stateKey: '', content: { name: 'x' } },
    { type: 'm.room.avatar', stateKey: '', content: { url: 'mxc://127.0.0.2/x', info: { w: 1, h: 1 } } },
    { type: 'm.room.encryption', stateKey: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
    { type: 'm.room.guest_access', stateKey: '', content: { guest_access: 'can_join' } },
    { type: 'm.room.create', stateKey: '', content: { creator: mallory, room_version: room.rules.version } },
  ]
}

/** Events with something wrong in them, most of them hashed and signed as if it were right. */
export async function sendTwistedEvents(world: World, seed: number, count: number): Promise<void> {
  const all = [...world.rooms, ...world.strong]
  const choice = fc.record({
    room: fc.nat({ max: all.length - 1 }),
    draft: fc.nat({ max: 24 }),
    changes: mutations,
    isContent: fc.boolean(),
    isSigned: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
    follows: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  })
  const pdus = fc
    .sample(choice, { seed, numRuns: count })
    .map(({ room: at, draft, changes, isContent, isSigned, follows }) => {
      const room = all[at]!
      const list = drafts(world, room)
      const event = draftEvent(room, list[draft % list.length]!)
      // What the next ones cite and follow, whether it was taken or not.
      if (follows) addEvent(room, event)
      const twisted = isContent
        ? { ...event.pdu, content: mutate(event.pdu.content, changes) }
        : (mutate(event.pdu, changes) as object)
      return isSigned ? resign(room, twisted) : twisted
    })
  for (let at = 0; at < pdus.length; at += 25) {
    await sendPdus(world, `twisted events ${at} of seed ${seed}`, pdus.slice(at, at + 25))
  }
}

const unknownId = (n: number): EventId => `$${String(n).padStart(43, 'u')}` as EventId

/** What is wrong in ways that no chance finds. */
export async function sendKnownTricks(world: World): Promise<void> {
  // One room of each form of ids and events, with power and without.
  for (const room of [world.rooms[0]!, world.rooms[3]!, world.strong[1]!]) {
    const { rules, user } = room
    const words = { msgtype: 'm.text', body: 'words' }
    const make = (draft: Partial<EvilDraft>): RoomEvent =>
      draftEvent(room, { type: 'm.room.message', content: words, ...draft })
    const good = make({})
    const changed = (change: object): unknown => resign(room, { ...good.pdu, ...change })
    const auths = good.authEventIds
    const ref = (id: EventId): unknown => (rules.referencePairs ? [id, { sha256: 'x' }] : id)
    const tricks: Record<string, readonly unknown[]> = {
      'the same event fifty times': Array.from({ length: 50 }, () => good.pdu),
      'parents that do not exist': [make({ prev: [unknownId(1), unknownId(2)] }).pdu],
      'twenty parents that do not exist': [
        changed({ prev_events: Array.from({ length: 20 }, (_, i) => ref(unknownId(i))) }),
      ],
      'too many parents': [
        changed({ prev_events: Array.from({ length: 5_000 }, (_, i) => ref(unknownId(i))) }),
      ],
      'the same parent twenty times': [
        changed({ prev_events: Array.from({ length: 20 }, () => ref(room.end!.eventId)) }),
      ],
      'no parents': [changed({ prev_events: [] })],
      'no auth events': [changed({ auth_events: [] })],
      'auth events that do not exist': [make({ auth: [unknownId(3), unknownId(4)] }).pdu],
      'auth events twice': [changed({ auth_events: [...good.pdu.auth_events, ...good.pdu.auth_events] })],
      'too many auth events': [
        changed({ auth_events: Array.from({ length: 3_000 }, (_, i) => ref(unknownId(i))) }),
      ],
      'a message as its auth event': [make({ auth: [...auths, room.end!.eventId] }).pdu],
      'depths beyond reason': [0, -1, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 1.5, '7', null].map((depth) =>
        changed({ depth }),
      ),
      'times beyond reason': [0, -1, 2 ** 53 - 1, -(2 ** 53), 2 ** 63, 1.5, '7'].map((at) =>
        changed({ origin_server_ts: at }),
      ),
      'a sender of another server': [
        changed({ sender: world.bob.userId }),
        changed({ sender: world.alice.userId }),
      ],
      'another room': [
        changed({ room_id: '!nowhere:evil.test' }),
        changed({ room_id: `!${'x'.repeat(43)}` }),
        changed({ room_id: `!${'x'.repeat(300)}:a` }),
      ],
      'too large': [resign(room, { ...good.pdu, content: { msgtype: 'm.text', body: 'x'.repeat(70_000) } })],
      'a type that is too long': [
        make({ type: 'x'.repeat(255) }).pdu,
        changed({ type: 'x'.repeat(256) }),
        changed({ type: 'ö'.repeat(200) }),
      ],
      'a state key that is too long': [
        changed({ state_key: 'ö'.repeat(200) }),
        changed({ state_key: 'x'.repeat(70_000) }),
      ],
      'signatures by nobody': [
        { ...good.pdu, signatures: {} },
        { ...good.pdu, signatures: { 'x y': { '': '' } } },
        { ...good.pdu, signatures: { [user]: {} } },
      ],
      'a thousand signatures': [
        {
          ...good.pdu,
          signatures: {
            [room.signer.serverName]: Object.fromEntries(
              Array.from({ length: 1_000 }, (_, i) => [`ed25519:k${i}`, 'x']),
            ),
          },
        },
      ],
      'a redaction of what is not there': [
        make({ type: 'm.room.redaction', content: { redacts: unknownId(9) } }).pdu,
        changed({ type: 'm.room.redaction', redacts: unknownId(9) }),
      ],
      'what is no object': [null, 1, 'x', [], [[]], true, {}, { room_id: room.roomId }],
    }
    for (const [what, pdus] of Object.entries(tricks)) {
      await sendPdus(world, `${what}, version ${rules.version}`, pdus)
    }
    await sendPdus(world, `a circle, version ${rules.version}`, circle(room))
    await sendPdus(world, `a long chain backwards, version ${rules.version}`, chain(room, 49).toReversed())
    await sendPdus(
      world,
      `a fork of fifty, version ${rules.version}`,
      Array.from({ length: 50 }, (_, i) => make({ content: { ...words, body: `fork ${i}` } }).pdu),
    )
  }
}

/** Events that point at each other: possible where ids are chosen by their server; elsewhere they point at the void. */
function circle(room: EvilRoom): unknown[] {
  if (room.rules.eventId !== 'embedded')
    return [draftEvent(room, { type: 'm.room.message', prev: [unknownId(7)] }).pdu]
  const ids = ['one', 'two', 'self'].map((name) => `$circle-${name}:${room.signer.serverName}` as EventId)
  const make = (id: EventId, prev: EventId, auth: readonly EventId[]): unknown => {
    const event = draftEvent(room, {
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: id },
      prev: [prev],
    })
    const authEvents = [...event.pdu.auth_events, ...auth.map((one) => [one, { sha256: 'x' }])]
    return resign(room, { ...event.pdu, event_id: id, auth_events: authEvents })
  }
  const [one, two, self] = ids as [EventId, EventId, EventId]
  return [make(one, two, []), make(two, one, []), make(self, self, []), make(self, room.end!.eventId, [self])]
}

/** Each follows the one before it; none of them is known. */
function chain(room: EvilRoom, length: number): unknown[] {
  const end = room.end
  const events = Array.from({ length }, (_, i) => {
    const event = draftEvent(room, {
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: `chain ${i}` },
    })
    addEvent(room, event)
    return event
  })
  room.end = end
  return events.map(({ pdu }) => pdu)
}

/** Transactions that are none. */
export async function sendTwistedBodies(world: World): Promise<void> {
  const room = world.rooms[1]!
  const good = draftEvent(room, { type: 'm.room.message', content: { body: 'x' } }).pdu
  for (const [index, body] of ODD_BODIES.entries()) {
    await sendText(world, `body ${index}`, body.toString())
  }
  for (const json of ODD_JSON) {
    for (const text of [
      `{"pdus":${json}}`,
      `{"edus":${json}}`,
      `{"pdus":[${json}],"edus":[${json}],"origin":${json},"origin_server_ts":${json}}`,
      `{"edus":[{"edu_type":"m.typing","content":${json}}]}`,
      JSON.stringify({ pdus: [{ ...good, content: 'MARK' }] }).replace('"MARK"', () => json),
    ]) {
      await sendText(world, `transaction with ${json.slice(0, 30)}`, text)
    }
  }
  const many = (count: number, value: JsonValue): JsonValue[] => Array.from({ length: count }, () => value)
  await sendText(world, '51 PDUs', textOf(world, many(51, {})))
  await sendText(world, '101 EDUs', textOf(world, [], many(101, {})))
  await sendText(world, 'a million PDUs', textOf(world, many(1_000_000, 1)))
  await sendText(world, 'a body too large', JSON.stringify({ pdus: [], x: 'x'.repeat(17 * 1024 * 1024) }))
}

/** EDUs of every type, and of none. */
const edus = ({ mallory, alice }: World, roomId: RoomId, eventId: EventId): JsonObject[] => [
  { edu_type: 'm.typing', content: { room_id: roomId, user_id: mallory, typing: true } },
  {
    edu_type: 'm.presence',
    content: { push: [{ user_id: mallory, presence: 'online', last_active_ago: 5, status_msg: 'x' }] },
  },
  {
    edu_type: 'm.receipt',
    content: {
      [roomId]: { 'm.read': { [mallory]: { event_ids: [eventId], data: { ts: 1, thread_id: 'main' } } } },
    },
  },
  {
    edu_type: 'm.direct_to_device',
    content: {
      sender: mallory,
      type: 'm.room_key',
      message_id: 'm1',
      messages: { [alice.userId]: { '*': { a: 1 } } },
    },
  },
  {
    edu_type: 'm.device_list_update',
    content: {
      user_id: mallory,
      device_id: 'D',
      device_display_name: 'x',
      stream_id: 5,
      prev_id: [4],
      deleted: false,
      keys: { user_id: mallory, device_id: 'D', algorithms: [], keys: {}, signatures: {} },
    },
  },
  {
    edu_type: 'm.signing_key_update',
    content: {
      user_id: mallory,
      master_key: { user_id: mallory, usage: ['master'], keys: { 'ed25519:x': 'x' } },
      self_signing_key: { user_id: mallory, usage: ['self_signing'], keys: { 'ed25519:y': 'y' } },
    },
  },
  { edu_type: 'org.example.unknown', content: { a: 1 } },
]

export async function sendTwistedEdus(world: World, seed: number, count: number): Promise<void> {
  const choice = fc.record({
    which: fc.nat({ max: 6 }),
    room: fc.nat({ max: world.rooms.length - 1 }),
    changes: mutations,
  })
  const list = fc.sample(choice, { seed, numRuns: count }).map(({ which, room: at, changes }) => {
    const room = world.rooms[at]!
    return mutate(edus(world, room.roomId, room.end!.eventId)[which], changes)
  })
  for (let at = 0; at < list.length; at += 50) {
    await sendText(world, `twisted EDUs ${at} of seed ${seed}`, textOf(world, [], list.slice(at, at + 50)))
  }
}
