import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import {
  countInboundOfOrigin,
  countInboundPdus,
  deleteInboundPdu,
  INBOUND_PDUS,
  listInboundPdus,
  listInboundRooms,
} from '@causeway/store/tables/inbound-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import { drainRound, type DrainTools } from './drain-room.ts'
import { judgeSoftFailedAfter } from './judge-soft-failed.ts'
import { isHopeless, RETRY_MS, untilNextDue } from './retry-times.ts'
import { createRoomWorkers } from './room-workers.ts'
import { createServerTurns } from './server-turns.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** PDUs that were acknowledged and wait for events that have to be fetched: durable, room by room. */
export interface Inbox extends AsyncDisposable {
  /** Takes up what waited when the server stopped. */
  start(): Promise<void>
  /** Keeps events until what they refer to is there. Resolves with how many there was room for, once durable. */
  keep(room: RoomInfo, origin: ServerName, pdus: readonly VerifiedPdu[]): Promise<number>
  /**
   * Tells of events that have become part of a room: what waited for them is seen to at once, and what was soft-failed
   * without them is judged anew.
   */
  placed(room: RoomInfo, pdus: readonly VerifiedPdu[]): Promise<void>
  /** Rooms that are being seen to. */
  active(): number
  /** Resolves when a room was seen to; what could not be helped then is tried again later. */
  settled(roomId: RoomId): Promise<void>
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** What a room may have waiting, and of that because of one server: a stranger decides how much there is. */
const MAX_WAITING = 1_000
const MAX_WAITING_OF_ORIGIN = 300
/** Rooms seen to at once: each may hold requests to other servers open. */
const MAX_ACTIVE = 20
/** Of those, how many may wait for the answers of one server. */
const MAX_ACTIVE_OF_SERVER = 5

/** @param serversOf other servers in a room, those most likely to answer first */
export function createInbox(
  deps: ReceiveDeps,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Inbox {
  const { engine, clock, logger } = deps
  /** What the rooms' waiting events refer to; as large as what waits. */
  const missing = new Map<RoomId, ReadonlySet<EventId>>()
  const placed: Inbox['placed'] = async (room, pdus) => {
    if (pdus.length === 0) return
    const wanted = missing.get(room.roomId)
    if (wanted !== undefined && pdus.some(({ event }) => wanted.has(event.eventId))) workers.wake(room.roomId)
    await judgeSoftFailedAfter(deps, room, pdus)
  }
  const turns = createServerTurns(MAX_ACTIVE_OF_SERVER)
  const workers = createRoomWorkers({
    clock,
    limit: MAX_ACTIVE,
    work: async (roomId, signal) => {
      const onWaiting = (wanted: ReadonlySet<EventId>): void =>
        void (wanted.size === 0 ? missing.delete(roomId) : missing.set(roomId, wanted))
      const onTurn = (): void => workers.wake(roomId)
      const tools = { serversOf, signal, turns, onTurn, onWaiting, onPlaced: placed }
      const retryMs = await drain(deps, roomId, tools).finally(() => turns.leave(roomId))
      if (retryMs !== undefined) workers.wakeLater(roomId, retryMs)
    },
    onFailure: (roomId, error) => {
      logger.warn('the waiting events of a room cannot be seen to', { roomId, error })
      workers.wakeLater(roomId, withJitter(deps, RETRY_MS))
    },
  })
  return {
    async start() {
      for (const roomId of await listInboundRooms(engine.db)) workers.wake(roomId as RoomId)
    },
    async keep(room, origin, pdus) {
      const [ofRoom, ofOrigin] = await Promise.all([
        countInboundPdus(engine.db, room.roomId),
        countInboundOfOrigin(engine.db, room.roomId, origin),
      ])
      const free = Math.min(MAX_WAITING - ofRoom, MAX_WAITING_OF_ORIGIN - ofOrigin)
      const kept = pdus.slice(0, Math.max(0, free))
      const now = clock.now()
      const steps = kept.map(({ event, json }) => ({
        into: INBOUND_PDUS,
        values: [room.roomId, event.eventId, origin, depthOf(event.pdu.depth), json, now, 0, now],
      }))
      deps.figures.waiting += kept.length
      if (steps.length > 0) await engine.db.commit({ entries: [], steps })
      workers.wake(room.roomId)
      return kept.length
    },
    placed,
    active: () => workers.active(),
    settled: (roomId) => workers.settled(roomId),
    idle: () => workers.idle(),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}

/** Sees to a room until nothing waits, or a server is free to be asked, or what is left is due: then after how long. */
async function drain(deps: ReceiveDeps, roomId: RoomId, tools: DrainTools): Promise<number | undefined> {
  while (!tools.signal.aborted) {
    const outcome = await drainRound(deps, roomId, tools)
    if (outcome === 'done' || outcome === 'crowded') return undefined
    if (outcome === 'later') return giveUpOrRetry(deps, roomId)
  }
  return undefined
}

async function giveUpOrRetry(deps: ReceiveDeps, roomId: RoomId): Promise<number | undefined> {
  const { engine, logger, figures, clock } = deps
  const rows = await listInboundPdus(engine.db, roomId, MAX_WAITING)
  const hopeless = rows.filter(isHopeless)
  if (hopeless.length > 0) {
    const events = hopeless.map((row) => row.event_id)
    await engine.db.commit({ entries: [], steps: events.map((id) => deleteInboundPdu(roomId, id)) })
    figures.givenUp += hopeless.length
    logger.warn('events were given up: nobody has what they refer to', { roomId, events })
  }
  const waitMs = untilNextDue(
    rows.filter((row) => !isHopeless(row)),
    clock.now(),
  )
  return waitMs === undefined ? undefined : withJitter(deps, waitMs)
}

function withJitter({ engine }: ReceiveDeps, ms: number): number {
  return ms * (1 + engine.random.fraction() / 4)
}

function depthOf(claimed: number): number {
  return Math.min(claimed, Number.MAX_SAFE_INTEGER)
}
