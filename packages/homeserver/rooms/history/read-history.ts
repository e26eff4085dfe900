import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findDeepestBefore, listHistoryRows, type GraphPlace } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { BEGINNING, END, findEventsByNid, timelineEvents } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'

/**
 * A place in a room's history in the order of its graph: before the event of this depth and number. `arrivedBefore`
 * leaves out what came later, so that a reader who is told of that by sync gets nothing twice.
 */
export interface HistoryPlace extends GraphPlace {
  readonly arrivedBefore: number
}

/** Before and after every event. */
export const HISTORY_START: GraphPlace = { depth: BEGINNING, nid: BEGINNING }
export const HISTORY_END: GraphPlace = { depth: END, nid: END }

/**
 * The place above all events that came before a number: after the deepest of them, and no deeper than before the event
 * of that number, since a gap may lie between the two.
 */
export async function placeOfArrival(
  engine: RoomEngine,
  room: RoomInfo,
  before: number,
): Promise<HistoryPlace> {
  if (before >= END) return { ...HISTORY_END, arrivedBefore: END }
  const deepest = await findDeepestBefore(engine.db, room.roomNid, before)
  const own = (await findEventsByNid(engine, [before])).get(before)
  const place = deepest === undefined ? HISTORY_START : { depth: deepest.depth, nid: deepest.nid + 1 }
  const isOwnHigher = own?.roomNid === room.roomNid && isAfter(own, place)
  const { depth, nid } = isOwnHigher ? own : place
  return { depth, nid, arrivedBefore: before }
}

function isAfter(a: GraphPlace, b: GraphPlace): boolean {
  return a.depth > b.depth || (a.depth === b.depth && a.nid > b.nid)
}

/** A stretch of history, exclusive at both ends. */
export interface HistoryRange {
  readonly after: GraphPlace
  readonly before: GraphPlace
  readonly arrivedBefore: number
  /** Newest first. */
  readonly backwards: boolean
  readonly limit: number
}

/** Reads a stretch of a room's history in the order of its graph, whoever may see it. One index range. */
export async function listHistory(
  engine: RoomEngine,
  room: RoomInfo,
  range: HistoryRange,
): Promise<StoredEvent[]> {
  if (range.limit <= 0) return []
  return timelineEvents(engine, room, () => listHistoryRows(engine.db, room.roomNid, range))
}
