import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import {
  listBackwardExtremities,
  type BackwardExtremityRow,
} from '@causeway/store/tables/backward-extremities.ts'
import type { GraphPlace } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { storeOutliers } from '../receive/store-outliers.ts'
import type { RoomInfo } from '../stored-event.ts'
import { writeToRoom } from '../write-to-room.ts'
import { chooseServers } from './choose-servers.ts'
import { fetchBatch } from './fetch-batch.ts'
import type { RoomHistory, Stretch } from './room-history.ts'
import { takeUpBatch, type TakenUp } from './take-up.ts'

/**
 * Gaps that one request names: branches of the graph that end close to each other. All of them, where it can be: what
 * is before two gaps must not come, and get its place, before the events that fill the other one.
 */
const MAX_GAPS = 50
/** How long one server may take to tell all that is needed for a batch. */
const SERVER_PATIENCE_MS = 15_000
/** How long a gap that nobody could fill is left alone. */
const REST_MS = 60_000
/** Gaps of which it is remembered that nobody could fill them. */
const MAX_RESTING = 2_000

export interface HistoryDeps {
  /** Absent: nobody can be asked. */
  readonly peers: RoomPeers | undefined
  /** Told of each server that was of no help. */
  readonly onFailure?: (failure: { roomId: string; server: ServerName; error: unknown }) => void
}

/** Fills gaps in the history of rooms, each by one request at a time. */
export function createRoomHistory(engine: RoomEngine, deps: HistoryDeps): RoomHistory {
  const flights = createSingleFlight<string, boolean>()
  const resting = createRest(engine)
  return {
    async mayLack(room, before) {
      if (deps.peers === undefined) return false
      return (await listGaps(engine, room, before)).length > 0
    },
    async fill(room, stretch, deadline) {
      if (deps.peers === undefined) return false
      const gaps = (await findGaps(engine, room, stretch)).filter((gap) => !resting.has(room, gap))
      const [first] = gaps
      if (first === undefined) return false
      const flight = flights.run(`${room.roomNid}:${first.event_id}`, async () => {
        const filled = await fillGap(engine, deps, deps.peers!, room, gaps)
        // What lacks but the room's members is there as soon as they are.
        if (!filled && engine.partial.find(room.roomNid) === undefined) resting.add(room, first)
        return filled
      })
      return withinDeadline(engine, flight, deadline)
    },
  }
}

function listGaps(
  { db }: RoomEngine,
  { roomNid }: RoomInfo,
  { depth }: GraphPlace,
): Promise<BackwardExtremityRow[]> {
  return listBackwardExtremities(db, roomNid, depth, MAX_GAPS)
}

async function findGaps(
  engine: RoomEngine,
  room: RoomInfo,
  { from, downTo }: Stretch,
): Promise<BackwardExtremityRow[]> {
  return (await listGaps(engine, room, from)).filter((gap) => gap.child_depth >= downTo)
}

/** The flight's answer, or false when it takes too long; it goes on for those who come later. */
async function withinDeadline(
  { clock }: RoomEngine,
  flight: Promise<boolean>,
  deadline: number,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = clock.setTimeout(() => resolve(false), Math.max(0, deadline - clock.monotonic()), {
    unref: true,
  })
  flight.then(resolve, () => resolve(false))
  try {
    return await promise
  } finally {
    timer.cancel()
  }
}

async function fillGap(
  engine: RoomEngine,
  deps: HistoryDeps,
  peers: RoomPeers,
  room: RoomInfo,
  gaps: readonly BackwardExtremityRow[],
): Promise<boolean> {
  const ids = gaps.map((gap) => gap.event_id as EventId)
  for (const server of await chooseServers(engine, room, gaps[0]!.child_nid)) {
    try {
      if (await askServer(engine, peers, room, server, ids)) return true
    } catch (error) {
      deps.onFailure?.({ roomId: room.roomId, server, error })
    }
  }
  return false
}

/** Whether a server's answer brought the room anything. */
async function askServer(
  engine: RoomEngine,
  peers: RoomPeers,
  room: RoomInfo,
  server: ServerName,
  gap: readonly EventId[],
): Promise<boolean> {
  const stop = new AbortController()
  const timer = engine.clock.setTimeout(
    () => stop.abort(new Error(`${server} took too long`)),
    SERVER_PATIENCE_MS,
    { unref: true },
  )
  try {
    const batch = await orAborted(stop.signal, fetchBatch(engine, peers, room, server, gap, stop.signal))
    await storeOutliers(engine, room.roomId, [...batch.outliers.values()])
    // Redactions and their targets, and events that were held without state, are found by their rows.
    const { taken, closing } = await writeToRoom(
      engine,
      room.roomId,
      async (write) => ({ value: await takeUpBatch(engine, write, batch) }),
      { alone: true },
    )
    // Without an event nothing was written.
    if (taken.length === 0 && closing.length > 0) await engine.db.commit({ entries: [], steps: closing })
    tellMemory(engine, taken)
    return taken.length > 0
  } finally {
    timer.cancel()
  }
}

/** A peer that does not heed its signal does not hold anybody up. */
function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  work.then(resolve, reject)
  return promise
}

/** What is kept in memory of events that were held, and of what they relate to, is told of their new place. */
function tellMemory(engine: RoomEngine, taken: readonly TakenUp[]): void {
  // Later than what anybody has read by now, whatever its number says.
  const later = engine.log.head() + 1
  for (const { stored, formerNid } of taken) {
    engine.related.apply({ ...stored, nid: later })
    if (formerNid === undefined || stored.type !== 'm.room.member') continue
    const userId = stored.stateKey as UserId
    engine.members.renumber(userId, stored.roomId, { from: formerNid, to: stored.nid })
  }
}

interface Rest {
  has(room: RoomInfo, gap: BackwardExtremityRow): boolean
  add(room: RoomInfo, gap: BackwardExtremityRow): void
}

function createRest({ clock }: RoomEngine): Rest {
  const until = new Map<string, number>()
  const keyOf = (room: RoomInfo, gap: BackwardExtremityRow): string => `${room.roomNid}:${gap.event_id}`
  return {
    has: (room, gap) => (until.get(keyOf(room, gap)) ?? 0) > clock.monotonic(),
    add(room, gap) {
      const oldest = until.size >= MAX_RESTING ? until.keys().next().value : undefined
      if (oldest !== undefined) until.delete(oldest)
      until.set(keyOf(room, gap), clock.monotonic() + REST_MS)
    },
  }
}
