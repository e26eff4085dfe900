import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { referencedIds } from '@causeway/matrix/events/make-room-event.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, listHistoryRows, type EventRow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { pduOfRow, type RoomInfo } from '../stored-event.ts'

export interface BackwardWalk {
  /** Whether the events it starts from are part of the answer. */
  readonly inclusive: boolean
  readonly from: readonly EventId[]
  /** Where it does not go on: these events are known to whoever asks. */
  readonly until: ReadonlySet<EventId>
  readonly limit: number
  /** Events less deep by their own word are left out, and what is before them. */
  readonly minDepth: number
}

/** Stretches of history read for one walk: a wide graph may hold little of what is asked for. */
const MAX_PORTIONS = 4

interface Walk {
  readonly room: RoomInfo
  readonly request: BackwardWalk
  /** Events that are reached and not yet read. */
  readonly wanted: Set<string>
  readonly seen: Set<string>
  readonly found: EventRow[]
}

/**
 * Events before some others, along the edges of the graph, the newest first. Costs index ranges in the order of the
 * graph, in which parents come after their children, not a query a step. Rejected events are walked through and left
 * out; a gap of ours ends it.
 */
export async function walkBack(
  engine: RoomEngine,
  room: RoomInfo,
  request: BackwardWalk,
): Promise<EventRow[]> {
  const walk: Walk = { room, request, wanted: new Set(), seen: new Set(), found: [] }
  for (const eventId of request.from) walk.wanted.add(eventId)
  for (let portion = 0; portion < MAX_PORTIONS && !isDone(walk); portion++) {
    // What is wanted is read by name first: where it starts, and where the order of the graph was no help.
    const rows = await findEventRows(engine.db, [...walk.wanted])
    const held = rows.filter((row) => row.room_nid === room.roomNid && isPlaced(row))
    walk.wanted.clear()
    const known = new Map(held.map((row) => [row.event_id, row]))
    const start = held.toSorted(newestFirst)[0]
    if (start === undefined) break
    const size = Math.min(500, 2 * request.limit + 20)
    const stretch = await listHistoryRows(engine.db, room.roomNid, {
      after: { depth: Number.MIN_SAFE_INTEGER, nid: Number.MIN_SAFE_INTEGER },
      before: { depth: start.depth, nid: start.nid },
      arrivedBefore: Number.MAX_SAFE_INTEGER,
      backwards: true,
      limit: size,
      without: EventFlag.outlier,
    })
    for (const row of stretch) known.set(row.event_id, row)
    for (const row of held) walk.wanted.add(row.event_id)
    follow(walk, [...known.values()].toSorted(newestFirst))
  }
  return walk.found
}

function isDone({ wanted, found, request }: Walk): boolean {
  return wanted.size === 0 || found.length >= request.limit
}

function isPlaced(row: EventRow): boolean {
  return (row.flags & EventFlag.outlier) === 0
}

export function newestFirst(a: EventRow, b: EventRow): number {
  return b.depth - a.depth || b.nid - a.nid
}

/** Goes through rows in the order of the graph, and takes those that are wanted by then. */
function follow(walk: Walk, rows: readonly EventRow[]): void {
  const { request, wanted, seen, found } = walk
  const from = new Set<string>(request.from)
  for (const row of rows) {
    if (found.length >= request.limit) return
    if (!wanted.delete(row.event_id) || seen.has(row.event_id)) continue
    seen.add(row.event_id)
    const pdu = pduOfRow(row)
    const isStart = from.has(row.event_id)
    if (!isStart && (request.until.has(row.event_id as EventId) || pdu.depth < request.minDepth)) continue
    const isRejected = (row.flags & EventFlag.rejected) !== 0
    if (!isRejected && (!isStart || request.inclusive)) found.push(row)
    for (const parent of referencedIds(pdu.prev_events)) {
      if (!seen.has(parent) && !request.until.has(parent)) wanted.add(parent)
    }
  }
}
