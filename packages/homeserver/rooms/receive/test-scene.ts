import assert from 'node:assert/strict'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { type TestDriver } from '@causeway/store/log/databases-suite.ts'
import { publicKeyOf } from '../../crypto/signing-key.ts'
import { createRoom } from '../create-room.ts'
import { readStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead, findRoom } from '../load-head.ts'
import { BEGINNING, END, listTimeline } from '../read-events.ts'
import { sendEvent } from '../send.ts'
import type { RoomInfo } from '../stored-event.ts'
import { openTestEngine } from '../test-engine.ts'
import type { ReceiveDeps } from './deps.ts'
import { createReceiveFigures } from './figures.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { receivePdus, type PduResults } from './receive-pdus.ts'
import { FarServer } from './test-far-server.ts'

// Test support: a room of ours with another server in it, as far as receiving goes.

export const alice = '@alice:test' as UserId
export const far = 'far.example'

export interface Scene extends AsyncDisposable {
  readonly engine: RoomEngine
  readonly room: RoomInfo
  readonly server: FarServer
  readonly bob: UserId
  readonly inbox: Inbox
  readonly deps: ReceiveDeps
  receive(...events: readonly RoomEvent[]): Promise<PduResults>
  say(body: string): Promise<EventId>
  bodies(): Promise<unknown[]>
  stateNow(type: string, stateKey?: string): Promise<unknown>
  extremities(): Promise<EventId[]>
  /** Content of the power levels now. */
  levels(): Promise<JsonObject>
}

export async function openScene(driver: TestDriver, version = '12'): Promise<Scene> {
  const database = await driver.create()
  const { engine, db } = await openTestEngine(database.config)
  const publicKey = publicKeyOf({ keyId: 'ed25519:t' as never, seed: new Uint8Array(32).fill(7) })
  const server = new FarServer(far, { name: 'test', keyId: 'ed25519:t', publicKey })
  const rules = findRoomVersion(version)!
  const users = rules.privilegedCreators ? {} : { [alice]: 100 }
  const roomId = await createRoom(engine, {
    rules,
    creator: alice,
    preset: 'public_chat',
    creationContent: {},
    initialState: [],
    invite: [],
    isDirect: false,
    powerLevelOverride: {
      users: { ...users, [server.user('bob')]: 50, [server.user('boss')]: 75 },
      events: { 'm.room.power_levels': 75 },
    },
    creatorProfile: {},
    profileOf: () => ({}),
  })
  const room = (await findRoom(engine, roomId))!
  const logger = { info: () => undefined, warn: () => undefined }
  const figures = createReceiveFigures()
  const deps: ReceiveDeps = { engine, peers: server.peers, clock: systemClock, logger, figures }
  const inbox = createInbox(deps, async () => [server.name])
  return {
    engine,
    room,
    server,
    inbox,
    deps,
    bob: server.user('bob'),
    receive: (...events) =>
      receivePdus(
        { ...deps, inbox },
        server.name,
        roomId,
        events.map(({ pdu }) => structuredClone(pdu)),
      ),
    say: (body) =>
      sendEvent(engine, {
        roomId,
        type: 'm.room.message',
        sender: alice,
        content: { msgtype: 'm.text', body },
      }),
    bodies: () => bodiesOf(engine, room),
    stateNow: async (type, stateKey = '') => {
      const newest = (await timeline(engine, room)).at(-1)!
      return (await readStateAt(engine, room, newest.roomRoot, type, stateKey))?.stored.content
    },
    extremities: () => extremitiesOf(engine, roomId),
    levels: async () => {
      const newest = (await timeline(engine, room)).at(-1)!
      const entry = await readStateAt(engine, room, newest.roomRoot, 'm.room.power_levels', '')
      return entry!.stored.content
    },
    [Symbol.asyncDispose]: async () => {
      await inbox[Symbol.asyncDispose]()
      await engine.queue.idle()
      await db[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

export function timeline(engine: RoomEngine, room: RoomInfo): ReturnType<typeof listTimeline> {
  return listTimeline(engine, room, { after: BEGINNING, before: END, backwards: false, limit: 500 })
}

export async function bodiesOf(engine: RoomEngine, room: RoomInfo): Promise<unknown[]> {
  const events = await timeline(engine, room)
  return events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content['body'])
}

export function extremitiesOf(engine: RoomEngine, roomId: RoomId): Promise<EventId[]> {
  return engine.queue.serial(roomId, async () =>
    (await findHead(engine, roomId))!.extremities.map(({ eventId }) => eventId),
  )
}

/** Everything taken in, without a refusal. */
export function assertTaken(results: PduResults): void {
  for (const [eventId, { error }] of results) assert.equal(error, undefined, `${eventId}: ${error}`)
}
