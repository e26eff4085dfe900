import type { EventId, KeyId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { createKeyOverlay } from '@causeway/store/state/keys.ts'
import { createNodeOverlay } from '@causeway/store/state/node-source.ts'
import type { TestDriver } from '@causeway/store/log/databases-suite.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { serverCameIn } from '@causeway/store/tables/room-servers.ts'
import { publicKeyOf } from '../../crypto/signing-key.ts'
import { createRoom, type CreateRoomInput } from '../create-room.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomHead } from '../head.ts'
import { findRoom } from '../load-head.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { persistEvents } from '../persist.ts'
import { addReceivedEvent } from '../receive/add-event.ts'
import { findAuthEvents } from '../receive/auth-lookup.ts'
import { storeOutliers } from '../receive/store-outliers.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import { beginWrite } from '../room-write.ts'
import { sendEvent } from '../send.ts'
import { rootOfEvents } from '../state/root-of-events.ts'
import { toStoredEvent, type RoomInfo } from '../stored-event.ts'
import { openTestEngine } from '../test-engine.ts'
import { plainRoom } from '../test-room.ts'
import { writeToRoom } from '../write-to-room.ts'
import { serveBackfill, serveEvent, serveMissingEvents } from './serve-events.ts'
import { serveEventAuth, serveState, serveStateIds } from './serve-state.ts'

// Test support: a room at home on one server, and another server that knows only its end.

export const RESIDENT = 'resident' as ServerName
export const OURS = 'ours' as ServerName
export const alice = '@alice:resident' as UserId

const PUBLIC_KEY = publicKeyOf({ keyId: 'ed25519:t' as KeyId, seed: new Uint8Array(32).fill(7) })

export interface TwoServers extends AsyncDisposable {
  readonly resident: RoomEngine
  readonly ours: RoomEngine
}

export async function openTwoServers(driver: TestDriver): Promise<TwoServers> {
  const stack = new AsyncDisposableStack()
  const open = async (name: ServerName): Promise<RoomEngine> => {
    const database = stack.use(await driver.create())
    return stack.use(await openTestEngine(database.config, undefined, name)).engine
  }
  const resident = await open(RESIDENT)
  const ours = await open(OURS)
  return { resident, ours, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

export async function createTestRoom(
  engine: RoomEngine,
  more: Partial<CreateRoomInput> = {},
): Promise<RoomInfo> {
  const type = 'm.room.history_visibility'
  const initialState = [{ type, stateKey: '', content: { history_visibility: 'world_readable' } }]
  const roomId = await createRoom(engine, plainRoom(alice, { initialState, name: 'A room', ...more }))
  const room = (await findRoom(engine, roomId))!
  await letIn(engine, room, OURS)
  return room
}

/** Has a server be in a room, as its join would. */
export async function letIn(engine: RoomEngine, room: RoomInfo, server: ServerName): Promise<void> {
  await engine.db.commit({ entries: [], steps: [serverCameIn(room.roomNid, server, 1)] })
}

export function say(engine: RoomEngine, roomId: RoomId, body: string, sender = alice): Promise<EventId> {
  return sendEvent(engine, { roomId, type: 'm.room.message', sender, content: { msgtype: 'm.text', body } })
}

export const anyKey: RoomPeers['loadKeys'] = async () => () => ({
  publicKey: PUBLIC_KEY,
  validUntilTs: Number.MAX_SAFE_INTEGER,
})

/** What a server says to another, by the functions that serve it. */
export function peersOf(resident: RoomEngine, asker: ServerName = OURS): RoomPeers {
  const pdusOf = async (answer: Promise<string>, key = 'pdus'): Promise<unknown[]> =>
    parseJsonObject(new TextEncoder().encode(await answer))[key] as unknown[]
  return {
    loadKeys: anyKey,
    isKeyAwaited: () => false,
    findEventBefore: async () => undefined,
    getMissingEvents: (_server, roomId, gap) =>
      pdusOf(serveMissingEvents(resident, asker, roomId, gap), 'events'),
    backfill: (_server, roomId, from, limit) => pdusOf(serveBackfill(resident, asker, roomId, from, limit)),
    getEvent: async (_server, eventId) => (await pdusOf(serveEvent(resident, asker, eventId)))[0],
    getEventAuth: (_server, roomId, eventId) =>
      pdusOf(serveEventAuth(resident, asker, roomId, eventId), 'auth_chain'),
    async getStateIds(_server, roomId, eventId) {
      const answer = JSON.parse(await serveStateIds(resident, asker, roomId, eventId)) as Record<
        string,
        EventId[]
      >
      return { pduIds: answer['pdu_ids']!, authChainIds: answer['auth_chain_ids']! }
    },
    async getState(_server, roomId, eventId) {
      const answer = JSON.parse(await serveState(resident, asker, roomId, eventId)) as Record<
        string,
        unknown[]
      >
      return { pdus: answer['pdus']!, authChain: answer['auth_chain']! }
    },
  }
}

/** Makes a server know an event and the state before it, as after a join, and nothing before that. */
export async function knowOnly(
  { resident, ours }: Pick<TwoServers, 'resident' | 'ours'>,
  room: RoomInfo,
  eventId: EventId,
): Promise<RoomInfo> {
  const peers = peersOf(resident)
  const verify = async (pdus: readonly unknown[]): Promise<VerifiedPdu[]> =>
    (await verifyPdus(peers, room, pdus)).map((verdict) => {
      if (!verdict.ok) throw new Error(verdict.reason)
      return verdict.pdu
    })
  const told = await peers.getState(RESIDENT, room.roomId, eventId)
  const state = await verify(told.pdus)
  const chain = await verify(told.authChain)
  const create = state.find(({ event }) => event.pdu.type === 'm.room.create')!
  await beginKnownRoom(ours, room, create)
  await storeOutliers(ours, room.roomId, [...chain, ...state])
  const [pdu] = await verify([await peers.getEvent(RESIDENT, eventId)])
  await writeToRoom(ours, room.roomId, async (write) => {
    const root = await rootOfEvents(
      ours,
      write,
      state.map(({ event }) => event.eventId),
    )
    write.stateRoot = write.head.stateRoot = root
    // Remembered from before there was any state.
    write.head.state.clear()
    const authEvents = await findAuthEvents(ours, write, [pdu!.event])
    const missing = new Map(pdu!.event.prevEventIds.map((id) => [id, root]))
    await addReceivedEvent(ours, write, pdu!, { held: [], missing }, authEvents)
    return { value: undefined }
  })
  return (await findRoom(ours, room.roomId))!
}

async function beginKnownRoom(
  ours: RoomEngine,
  { roomId, rules }: RoomInfo,
  create: VerifiedPdu,
): Promise<void> {
  const roomNid = ours.allocateRoomNid()
  const head: RoomHead = {
    roomId,
    roomNid,
    rules,
    version: 0,
    extremities: [],
    stateRoot: 0,
    next: { node: 1, key: 0, event: 2 },
    state: new Map(),
    entries: new Map(),
    pending: new Map(),
    lost: false,
    nodes: createNodeOverlay(ours.nodes, roomNid),
    keys: createKeyOverlay(ours.keys, roomNid),
  }
  const write = beginWrite(head)
  const place = { nid: 0, depth: 0, stateRoot: 0, roomRoot: 0, stateBefore: 0, stateNid: 1 }
  const stored = toStoredEvent(head, create.event, { ...place, flags: EventFlag.outlier })
  write.events.push({
    roomEvent: create.event,
    json: create.json,
    stored,
    auth: [],
    replaced: undefined,
    place: 'history',
  })
  await ours.queue.serial(roomId, async () => {
    await persistEvents(ours, write).settled
  })
  ours.heads.delete(roomId)
}

export function bodyOf(content: JsonObject): unknown {
  return content['body']
}
