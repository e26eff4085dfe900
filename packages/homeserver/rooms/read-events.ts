import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { EventRow, TimelineRow } from '@causeway/store/tables/events.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, findEventRowsByNid, listTimelineRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from './engine.ts'
import { getRoomByNid } from './load-head.ts'
import { storedEventOfRow, type RoomInfo } from './stored-event.ts'

/** Events that are never shown: held without state, refused, or refused by the current state. */
export const HIDDEN = EventFlag.outlier | EventFlag.rejected | EventFlag.softFailed

/** Whether an event may be part of what readers see, before visibility is asked. */
export function isShown(event: StoredEvent): boolean {
  return (event.flags & HIDDEN) === 0
}

/** Joins branches of the graph and says nothing: part of the room, and of no client's concern. */
export const MERGE_TYPE = 'org.matrix.dummy_event'

/** @param mark of `engine.events`, from before the row was read */
async function keep(engine: RoomEngine, row: EventRow, mark: number): Promise<StoredEvent> {
  const event = storedEventOfRow(await getRoomByNid(engine, row.room_nid), row)
  return engine.events.fill(event.eventId, event, mark)
}

/** Events by id; those we do not hold are left out. One query for what is not in memory. */
export async function findEvents(
  engine: RoomEngine,
  eventIds: readonly EventId[],
): Promise<Map<EventId, StoredEvent>> {
  const found = new Map<EventId, StoredEvent>()
  const missing = new Set<EventId>()
  for (const eventId of eventIds) {
    const event = engine.events.get(eventId)
    if (event === undefined) missing.add(eventId)
    else found.set(eventId, event)
  }
  if (missing.size === 0) return found
  const mark = engine.events.mark()
  for (const row of await findEventRows(engine.db, [...missing])) {
    const event = await keep(engine, row, mark)
    found.set(event.eventId, event)
  }
  return found
}

/** One event by id, or undefined. */
export async function findEvent(engine: RoomEngine, eventId: EventId): Promise<StoredEvent | undefined> {
  return (await findEvents(engine, [eventId])).get(eventId)
}

/** Events by log number; a query, so for numbers that come from a table. */
export async function findEventsByNid(
  engine: RoomEngine,
  nids: readonly number[],
): Promise<Map<number, StoredEvent>> {
  if (nids.length === 0) return new Map()
  const found = new Map<number, StoredEvent>()
  const mark = engine.events.mark()
  for (const row of await findEventRowsByNid(engine.db, nids)) {
    found.set(row.nid, engine.events.get(row.event_id as EventId) ?? (await keep(engine, row, mark)))
  }
  return found
}

/** A stretch of a timeline, exclusive at both ends, in arrival order. */
export interface TimelineRange {
  readonly after: number
  readonly before: number
  /** Newest first. */
  readonly backwards: boolean
  readonly limit: number
}

/** Numbers below and above every event. */
export const BEGINNING = -Number.MAX_SAFE_INTEGER
export const END = Number.MAX_SAFE_INTEGER

/**
 * Reads a stretch of a room's timeline, newest first when `backwards`: everything that is part of the
 * timeline, whoever may see it (`filterVisible` decides that). One index range of `limit` rows.
 */
export async function listTimeline(
  engine: RoomEngine,
  room: RoomInfo,
  range: TimelineRange,
): Promise<StoredEvent[]> {
  if (range.limit <= 0) return []
  return timelineEvents(engine, room, () => listTimelineRows(engine.db, room.roomNid, range))
}

/** Rows of a timeline as events, with what they tell of relations. */
export async function timelineEvents(
  engine: RoomEngine,
  room: RoomInfo,
  read: () => Promise<readonly TimelineRow[]>,
): Promise<StoredEvent[]> {
  const position = engine.log.head()
  const rows = await read()
  return rows.map((row) => {
    const held = engine.events.peek(row.event_id as EventId)
    const event = held !== undefined && held.nid === row.nid ? held : storedEventOfRow(room, row)
    if (row.related === 0 && event.unrelatedAt < position) event.unrelatedAt = position
    return event
  })
}
