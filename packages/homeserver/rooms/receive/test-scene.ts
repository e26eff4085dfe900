import assert from 'node:assert/strict'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { TestDriver } from '@causeway/store/log/databases-suite.ts'
import { publicKeyOf } from '../../crypto/signing-key.ts'
import { createRoom } from '../create-room.ts'
import { readStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead, findRoom } from '../load-head.ts'
import { BEGINNING, END, listTimeline } from '../read-events.ts'
import { sendEvent } from '../send.ts'
import type { RoomInfo } from '../stored-event.ts'
import { openTestEngine } from '../test-engine.ts'
import { plainRoom } from '../test-room.ts'
import type { ReceiveDeps } from './deps.ts'
import { createReceiveFigures } from './figures.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { receivePdus, type PduResults } from './receive-pdus.ts'
import { FarServer } from './test-far-server.ts'

// Test support: a room of Alice's here, and a far server whose users have been promised power in it.

export const alice = '@alice:test' as UserId
export const far = 'far.example'

export interface Scene extends AsyncDisposable {
  readonly engine: RoomEngine
  readonly room: RoomInfo
  readonly server: FarServer
  readonly bob: UserId
  /** Events that the far server gives in an auth chain and in no other answer. */
  readonly lost: Set<EventId>
  readonly inbox: Inbox
  readonly deps: ReceiveDeps
  readonly bus: Bus
  receive(...events: readonly RoomEvent[]): Promise<PduResults>
  say(body: string): Promise<EventId>
  bodies(): Promise<unknown[]>
  stateNow(type: string, stateKey?: string): Promise<unknown>
  extremities(): Promise<EventId[]>
}

/** A room of Alice's, in which Bob of the far server is promised power. */
export async function openRoom(
  engine: RoomEngine,
  server: FarServer,
  version = '12',
  bobPower = 50,
): Promise<RoomInfo> {
  const rules = findRoomVersion(version)!
  const users = rules.privilegedCreators ? {} : { [alice]: 100 }
  const powerLevelOverride = { users: { ...users, [server.user('bob')]: bobPower } }
  const roomId = await createRoom(engine, plainRoom(alice, { rules, powerLevelOverride }))
  return (await findRoom(engine, roomId))!
}

export async function openScene(driver: TestDriver, version = '12', bobPower = 50): Promise<Scene> {
  const database = await driver.create()
  const { engine, db, bus } = await openTestEngine(database.config)
  const publicKey = publicKeyOf({ keyId: 'ed25519:t' as never, seed: new Uint8Array(32).fill(7) })
  const server = new FarServer(far, { name: 'test', keyId: 'ed25519:t', publicKey })
  const room = await openRoom(engine, server, version, bobPower)
  const { roomId } = room
  const lost = new Set<EventId>()
  const logger = { info: () => undefined, warn: () => undefined }
  const figures = createReceiveFigures()
  const deps: ReceiveDeps = { engine, peers: withholding(server, lost), clock: systemClock, logger, figures }
  const inbox = createInbox(deps, async () => [server.name])
  return {
    engine,
    room,
    server,
    inbox,
    deps,
    bus,
    bob: server.user('bob'),
    lost,
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
    [Symbol.asyncDispose]: async () => {
      await inbox[Symbol.asyncDispose]()
      await engine.queue.idle()
      await db[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** What the far server answers but for some events. */
function withholding(server: FarServer, lost: ReadonlySet<EventId>): ReceiveDeps['peers'] {
  const isLost = (pdu: unknown): boolean => [...lost].some((id) => server.events.get(id)?.pdu === pdu)
  return {
    ...server.peers,
    getEvent: (name, id) =>
      lost.has(id) ? Promise.reject(new Error('404')) : server.peers.getEvent(name, id),
    getMissingEvents: async (...args) =>
      (await server.peers.getMissingEvents(...args)).filter((pdu) => !isLost(pdu)),
  }
}

export function timeline(engine: RoomEngine, room: RoomInfo): ReturnType<typeof listTimeline> {
  return listTimeline(engine, room, { after: BEGINNING, before: END, backwards: false, limit: 500 })
}

async function bodiesOf(engine: RoomEngine, room: RoomInfo): Promise<unknown[]> {
  const events = await timeline(engine, room)
  return events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content['body'])
}

function extremitiesOf(engine: RoomEngine, roomId: RoomId): Promise<EventId[]> {
  return engine.queue.serial(roomId, async () =>
    (await findHead(engine, roomId))!.extremities.map(({ eventId }) => eventId),
  )
}

/** Everything taken in, without a refusal. */
export function assertTaken(results: PduResults): void {
  for (const [eventId, { error }] of results) assert.equal(error, undefined, `${eventId}: ${error}`)
}
