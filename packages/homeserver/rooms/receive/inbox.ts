import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
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
import type { VerifiedPdu } from './verify-pdus.ts'

/** PDUs that were acknowledged and wait for events that have to be fetched: durable, room by room. */
export interface Inbox extends AsyncDisposable {
  /** Takes up what waited when the server stopped. */
  start(): Promise<void>
  /** Keeps events until what they refer to is there. Resolves with how many there was room for, once durable. */
  keep(room: RoomInfo, origin: ServerName, pdus: readonly VerifiedPdu[]): Promise<number>
  /** Rooms that are being seen to. */
  active(): number
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** What a room may have waiting: a stranger decides how much there is. */
const MAX_WAITING = 1_000
/** Rooms seen to at once: each may hold requests to other servers open. */
const MAX_ACTIVE = 20
/** What nobody helped with is tried again after these times, and then given up. */
const RETRY_MS = [10_000, 60_000, 300_000, 1_800_000] as const

/** @param serversOf other servers in a room, those most likely to answer first */
export function createInbox(
  deps: ReceiveDeps,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Inbox {
  const { engine, clock, logger } = deps
  const stopping = new AbortController()
  const active = new Map<RoomId, Promise<void>>()
  /** Rooms that are to be seen to, again or as soon as there is a place. */
  const queued = new Set<RoomId>()
  const timers = new Map<RoomId, Timer>()

  function wake(roomId: RoomId): void {
    timers.get(roomId)?.cancel()
    timers.delete(roomId)
    if (stopping.signal.aborted) return
    queued.add(roomId)
    startNext()
  }

  function startNext(): void {
    for (const roomId of queued) {
      if (active.size >= MAX_ACTIVE) return
      if (active.has(roomId)) continue
      queued.delete(roomId)
      const work = drain(roomId)
        .catch((error: unknown) => {
          if (stopping.signal.aborted) return
          logger.warn('the waiting events of a room cannot be seen to', { roomId, error })
          retryLater(roomId, RETRY_MS[0])
        })
        .finally(() => {
          active.delete(roomId)
          startNext()
        })
      active.set(roomId, work)
    }
  }

  async function drain(roomId: RoomId): Promise<void> {
    while (!stopping.signal.aborted) {
      const outcome = await drainRound(deps, roomId, serversOf, stopping.signal)
      if (outcome === 'done') return
      if (outcome === 'stuck') return giveUpOrRetry(roomId)
    }
  }

  async function giveUpOrRetry(roomId: RoomId): Promise<void> {
    const rows = await listInboundPdus(engine.db, roomId, MAX_WAITING)
    const hopeless = rows.filter((row) => row.attempts > RETRY_MS.length)
    if (hopeless.length > 0) {
      const steps = hopeless.map((row) => deleteInboundPdu(roomId, row.event_id))
      await engine.db.commit({ entries: [], steps })
      deps.figures.givenUp += hopeless.length
      logger.warn('events were given up: nobody has what they refer to', {
        roomId,
        events: hopeless.map((row) => row.event_id),
      })
    }
    const next = rows.find((row) => row.attempts <= RETRY_MS.length)
    if (next !== undefined) retryLater(roomId, RETRY_MS[Math.max(0, next.attempts - 1)]!)
  }

  function retryLater(roomId: RoomId, ms: number): void {
    if (stopping.signal.aborted) return
    timers.get(roomId)?.cancel()
    const jitter = 1 + engine.random.fraction() / 4
    timers.set(
      roomId,
      clock.setTimeout(() => wake(roomId), ms * jitter, { unref: true }),
    )
  }

  return {
    async start() {
      for (const roomId of await listInboundRooms(engine.db)) wake(roomId as RoomId)
    },
    async keep(room, origin, pdus) {
      const free = MAX_WAITING - (await countInboundPdus(engine.db, room.roomId))
      const kept = pdus.slice(0, Math.max(0, free))
      const now = clock.now()
      const steps = kept.map(({ event, json }) => ({
        into: INBOUND_PDUS,
        values: [room.roomId, event.eventId, origin, depthOf(event.pdu.depth), json, now, 0],
      }))
      deps.figures.waiting += kept.length
      if (steps.length > 0) await engine.db.commit({ entries: [], steps })
      wake(room.roomId)
      return kept.length
    },
    active: () => active.size + queued.size,
    async idle() {
      while (active.size > 0) await Promise.all(active.values())
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the server stops'))
      for (const timer of timers.values()) timer.cancel()
      queued.clear()
      await Promise.all(active.values())
    },
  }
}

function depthOf(claimed: number): number {
  return Math.min(claimed, Number.MAX_SAFE_INTEGER)
}
