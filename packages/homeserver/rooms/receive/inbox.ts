import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import {
  countInboundPdus,
  deleteInboundPdu,
  INBOUND_PDUS,
  listInboundPdus,
  listInboundQueues,
} from '@causeway/store/tables/inbound-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import { drainRound, dueAt, RETRY_MS, type DrainTools, type InboundQueue } from './drain-room.ts'
import { judgeAnewAfter } from './judge-anew.ts'
import { createWorkers } from './workers.ts'
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
  /** Queues of rooms that are being seen to. */
  active(): number
  /** Resolves when no room is being seen to. */
  idle(): Promise<void>
}

/** What a room may have waiting, and of that because of one server: a stranger decides how much there is. */
const MAX_WAITING = 1_000
const MAX_WAITING_OF_ORIGIN = 300
/** Seen to at once, and of that because of one server: each may hold requests to other servers open. */
const MAX_ACTIVE = 20
const MAX_ACTIVE_OF_ORIGIN = 4

/** Never at once, whatever the clock of the machine did. */
const MIN_RETRY_MS = 1_000

/** No server name has a space in it. */
const keyOf = ({ origin, roomId }: InboundQueue): string => `${origin} ${roomId}`

function queueOf(key: string): InboundQueue {
  const at = key.indexOf(' ')
  return { origin: key.slice(0, at) as ServerName, roomId: key.slice(at + 1) as RoomId }
}

/** @param serversOf other servers in a room, those most likely to answer first */
export function createInbox(
  deps: ReceiveDeps,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Inbox {
  const { engine, clock, logger } = deps
  /** What the queues that could not go on refer to; as large as what waits. */
  const missing = new Map<string, ReadonlySet<EventId>>()
  const placed: Inbox['placed'] = async (room, pdus) => {
    if (pdus.length === 0) return
    for (const [key, wanted] of missing) {
      if (pdus.some(({ event }) => wanted.has(event.eventId))) workers.wake(key)
    }
    await judgeAnewAfter(deps, room, pdus)
  }
  const workers = createWorkers({
    clock,
    limit: MAX_ACTIVE,
    groupOf: (key) => queueOf(key).origin,
    groupLimit: MAX_ACTIVE_OF_ORIGIN,
    work: async (key, signal) => {
      const onWaiting = (wanted: ReadonlySet<EventId>): void =>
        void (wanted.size === 0 ? missing.delete(key) : missing.set(key, wanted))
      const tools = { serversOf, signal, onWaiting, onPlaced: placed }
      const retryMs = await drain(deps, queueOf(key), tools)
      if (retryMs !== undefined) workers.wakeLater(key, retryMs)
    },
    onFailure: (key, error) => {
      logger.warn('the waiting events of a room cannot be seen to', { ...queueOf(key), error })
      workers.wakeLater(key, withJitter(deps, RETRY_MS[0]))
    },
  })
  return {
    async start() {
      for (const queue of await listInboundQueues(engine.db)) workers.wake(keyOf(queue as InboundQueue))
    },
    async keep(room, origin, pdus) {
      const { ofRoom, ofOrigin } = await countInboundPdus(engine.db, room.roomId, origin)
      const free = Math.min(MAX_WAITING - ofRoom, MAX_WAITING_OF_ORIGIN - ofOrigin)
      const kept = pdus.slice(0, Math.max(0, free))
      const now = clock.now()
      const steps = kept.map(({ event, json }) => ({
        into: INBOUND_PDUS,
        values: [room.roomId, event.eventId, origin, depthOf(event.pdu.depth), json, now, 0],
      }))
      deps.figures.waiting += kept.length
      if (steps.length > 0) await engine.db.commit({ entries: [], steps })
      workers.wake(keyOf({ roomId: room.roomId, origin }))
      return kept.length
    },
    placed,
    active: () => workers.active(),
    idle: () => workers.idle(),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}

/** Sees to a queue until nothing waits, or nobody helps: then after how long to try again, if at all. */
async function drain(deps: ReceiveDeps, queue: InboundQueue, tools: DrainTools): Promise<number | undefined> {
  while (!tools.signal.aborted) {
    const outcome = await drainRound(deps, queue, tools)
    if (outcome === 'done') return undefined
    if (outcome === 'stuck') return giveUpOrRetry(deps, queue)
  }
  return undefined
}

async function giveUpOrRetry(
  deps: ReceiveDeps,
  { roomId, origin }: InboundQueue,
): Promise<number | undefined> {
  const { engine, logger, figures, clock } = deps
  const rows = await listInboundPdus(engine.db, roomId, origin, MAX_WAITING)
  const hopeless = rows.filter((row) => row.attempts > RETRY_MS.length)
  if (hopeless.length > 0) {
    const events = hopeless.map((row) => row.event_id)
    await engine.db.commit({ entries: [], steps: events.map((id) => deleteInboundPdu(roomId, id)) })
    figures.givenUp += hopeless.length
    logger.warn('events were given up: nobody has what they refer to', { roomId, events })
  }
  const times = rows.filter((row) => row.attempts <= RETRY_MS.length).map(dueAt)
  if (times.length === 0) return undefined
  return withJitter(deps, Math.max(MIN_RETRY_MS, Math.min(...times) - clock.now()))
}

function withJitter({ engine }: ReceiveDeps, ms: number): number {
  return ms * (1 + engine.random.fraction() / 4)
}

function depthOf(claimed: number): number {
  return Math.min(claimed, Number.MAX_SAFE_INTEGER)
}
