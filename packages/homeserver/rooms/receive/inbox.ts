import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import {
  countInboundPdus,
  deleteInboundPdu,
  INBOUND_PDUS,
  listInboundPdus,
  listInboundRooms,
} from '@causeway/store/tables/inbound-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import { drainRound } from './drain-room.ts'
import { isHopeless, RETRY_MS, untilNextDue } from './retry-times.ts'
import { createRoomWorkers } from './room-workers.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** PDUs that were acknowledged and wait for events that have to be fetched: durable, room by room. */
export interface Inbox extends AsyncDisposable {
  /** Takes up what waited when the server stopped. */
  start(): Promise<void>
  /** Keeps events until what they refer to is there. Resolves with how many there was room for, once durable. */
  keep(room: RoomInfo, origin: ServerName, pdus: readonly VerifiedPdu[]): Promise<number>
  /** Rooms that are being seen to. */
  active(): number
  /** Resolves when a room was seen to; what could not be helped then is tried again later. */
  settled(roomId: RoomId): Promise<void>
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** What a room may have waiting: a stranger decides how much there is. */
const MAX_WAITING = 1_000
/** Rooms seen to at once: each may hold requests to other servers open. */
const MAX_ACTIVE = 20

/** @param serversOf other servers in a room, those most likely to answer first */
export function createInbox(
  deps: ReceiveDeps,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Inbox {
  const { engine, clock, logger } = deps
  const workers = createRoomWorkers({
    clock,
    limit: MAX_ACTIVE,
    work: async (roomId, signal) => {
      const retryMs = await drain(deps, roomId, serversOf, signal)
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
      const free = MAX_WAITING - (await countInboundPdus(engine.db, room.roomId))
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
    active: () => workers.active(),
    settled: (roomId) => workers.settled(roomId),
    idle: () => workers.idle(),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}

/** Sees to a room until nothing waits, or what is left is not due: then after how long to go on. */
async function drain(
  deps: ReceiveDeps,
  roomId: RoomId,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
  signal: AbortSignal,
): Promise<number | undefined> {
  while (!signal.aborted) {
    const outcome = await drainRound(deps, roomId, serversOf, signal)
    if (outcome === 'done') return undefined
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
