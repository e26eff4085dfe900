import assert from 'node:assert/strict'
import { buildEvent, type BuiltEvent } from '@causeway/matrix/events/build.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { readNewestState } from '../../rooms/newest-state.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { ok } from '../../test-call.ts'
import type { ServerDriver, TestLogin, TestServer } from '../../test-server.ts'
import { createTestPeers, type TestPeers } from '../test-peers.ts'

// Test support: a room at home on one server, which a user of another has joined fast and whose members do not come
// before the test says so; and events of its members that no honest server would make.

const segment = encodeURIComponent

/** An event as the resident server sends it, whether the room allows it or not. */
export interface ForgedEvent {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string
  readonly content?: JsonObject
  readonly redacts?: EventId
  /** Default: what was forged before, or our join. */
  readonly prev?: EventId
  readonly auth: readonly EventId[]
}

export interface PartialScene extends AsyncDisposable {
  readonly peers: TestPeers
  readonly resident: TestServer
  readonly ours: TestServer
  readonly alice: TestLogin
  readonly bob: TestLogin
  readonly roomId: RoomId
  /** Users of the resident server. */
  user(localpart: string): string
  ask(
    server: TestServer,
    login: TestLogin,
    method: string,
    path: string,
    body?: JsonObject,
  ): Promise<JsonObject>
  /** Id of what the resident server has as current state. */
  stateId(type: string, stateKey?: string): Promise<EventId>
  /** Bob joins; the members do not come. */
  join(): Promise<EventId>
  /** Our server is sent the event. */
  send(event: ForgedEvent): Promise<EventId>
  /** Nothing is held back any more. */
  release(): void
  /** Our server ends, whatever it was about, and another is there on what it left; nothing is held back. */
  restart(): Promise<void>
  /** The members come. */
  complete(): Promise<void>
  /** Of Bob, or another of ours, with members as they are needed. */
  sync(since?: string, login?: TestLogin): Promise<{ next: string; rooms: JsonObject }>
  /** Whether Bob can read an event. */
  isShown(eventId: EventId): Promise<boolean>
  /** Ids of the whole current state by our server, in order. */
  ourState(): Promise<string[]>
}

function forge(
  { roomId, rules }: RoomInfo,
  { type, sender, stateKey, content = {}, redacts, prev, auth }: ForgedEvent & { readonly prev: EventId },
  { depth, ts }: { readonly depth: number; readonly ts: number },
): BuiltEvent {
  return buildEvent(
    rules,
    {
      type,
      sender: sender as UserId,
      content: redacts === undefined ? content : { ...content, redacts },
      roomId,
      ...(stateKey === undefined ? {} : { stateKey }),
      originServerTs: ts,
      depth,
      prevEventIds: [prev],
      authEventIds: auth,
    },
    { sha256 },
  )
}

const LAZY = segment('{"room":{"state":{"lazy_load_members":true}}}')

export const ENCRYPTED: JsonObject = {
  initial_state: [
    { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
  ],
}

async function deliver(from: TestServer, to: TestServer, number: number, pdu: JsonObject): Promise<void> {
  const { clock, federation, serverName } = from.hs
  await federation.client.request(to.hs.serverName, {
    method: 'PUT',
    path: `/_matrix/federation/v1/send/forged${number}`,
    body: { origin: serverName, origin_server_ts: clock.now(), pdus: [pdu] },
  })
  // What it refers to is fetched.
  await to.hs.receiving.inbox.idle()
}

function requestOf({ userId }: TestLogin, power: JsonObject, more: JsonObject): JsonObject {
  return {
    preset: 'public_chat',
    room_version: '11',
    topic: 'As it was',
    power_level_content_override: { users: { [userId]: 100, ...power } },
    ...more,
  }
}

/** @param power levels of users beside Alice, who made the room @param more of the request that makes it */
export async function openPartialRoom(
  driver: ServerDriver,
  power: JsonObject = {},
  more: JsonObject = {},
): Promise<PartialScene> {
  const peers = createTestPeers()
  const resident = await peers.start(driver, 'resident.example')
  let ours = await peers.start(driver, 'ours.example')
  const [alice, bob] = [await resident.register('alice'), await ours.register('bob')]
  const ask: PartialScene['ask'] = ok
  const made = await ask(resident, alice, 'POST', '/createRoom', requestOf(alice, power, more))
  const roomId = made['room_id'] as RoomId
  const room = (await findRoom(resident.hs.rooms, roomId))!
  let release = (): void => undefined
  let last: EventId | undefined
  let depth = 100
  let sent = 0
  return {
    peers,
    resident,
    get ours() {
      return ours
    },
    async restart() {
      release()
      ours = await ours.restart()
      ours.hs.joining.completion.start()
    },
    alice,
    bob,
    roomId,
    ask,
    user: (localpart) => `@${localpart}:resident.example`,
    async stateId(type, stateKey = '') {
      const [entry] = await readNewestState(resident.hs.rooms, room, [{ type, stateKey }])
      return entry!.stored.eventId
    },
    async join() {
      release = peers.hold('/state_ids/')
      await ask(ours, bob, 'POST', `/join/${segment(roomId)}?via=resident.example`, {})
      const [partial] = ours.hs.rooms.partial.list()
      assert.equal(partial?.roomId, roomId, 'the room was joined fast')
      last = partial.eventId
      return partial.eventId
    },
    async send(event) {
      const { signer, clock } = resident.hs
      const built = forge(room, { ...event, prev: event.prev ?? last! }, { depth: depth++, ts: clock.now() })
      await deliver(resident, ours, sent++, signEvent(room.rules, built.pdu, signer) as unknown as JsonObject)
      if (event.prev === undefined) last = built.eventId
      return built.eventId
    },
    release: () => release(),
    async complete() {
      release()
      await ours.hs.joining.completion.idle()
      assert.deepEqual(ours.hs.rooms.partial.list(), [])
    },
    async sync(since, login = bob) {
      const from = since === undefined ? '' : `&since=${since}`
      const body = await ask(ours, login, 'GET', `/sync?timeout=0&filter=${LAZY}${from}`)
      return { next: body['next_batch'] as string, rooms: (body['rooms'] ?? {}) as JsonObject }
    },
    async isShown(eventId) {
      const path = `/_matrix/client/v3/rooms/${segment(roomId)}/event/${segment(eventId)}`
      const { status } = await ours.request('GET', path, { token: bob.token })
      assert.ok(status === 200 || status === 404, `${status}`)
      return status === 200
    },
    async ourState() {
      const state = await ask(ours, bob, 'GET', `/rooms/${segment(roomId)}/state`)
      return (state as unknown as { event_id: string }[]).map((event) => event.event_id).toSorted()
    },
    async [Symbol.asyncDispose]() {
      release()
      await ours[Symbol.asyncDispose]()
      await resident[Symbol.asyncDispose]()
    },
  }
}
