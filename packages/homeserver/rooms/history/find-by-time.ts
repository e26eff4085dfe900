import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { GraphPlace } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { BEGINNING, END } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'
import { HISTORY_END, HISTORY_START, listHistory } from './read-history.ts'

/** Events looked at on either side of the place where the time lies: clocks differ, and branches meet. */
const WINDOW = 100
/** Windows read further on, where the reader may see nothing in the first. */
const MAX_WINDOWS = 5

export interface TimeQuery {
  /** Milliseconds since 1970. */
  readonly ts: number
  /** `f`: the first at or after it; `b`: the last at or before it. */
  readonly direction: 'f' | 'b'
  /** Those of some events that may be told. */
  readonly filter: (events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>
}

/**
 * The event of a room closest to a time, in one direction; undefined when there is none. Found by halving the order of
 * the graph, along which time goes on but for the clocks of its servers: exact where an event's time is out of order by
 * no more than a hundred events. Costs about twenty look-ups of one event and a window.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
 */
export async function findByTime(
  engine: RoomEngine,
  room: RoomInfo,
  query: TimeQuery,
): Promise<StoredEvent | undefined> {
  const place = await placeOfTime(engine, room, query.ts)
  const near = [
    ...(await read(engine, room, { place, backwards: true })),
    ...(await read(engine, room, { place, backwards: false })),
  ]
  const best = closest(await query.filter(near), query)
  if (best !== undefined) return best
  const backwards = query.direction === 'b'
  let at = place
  for (let count = 0; count < MAX_WINDOWS; count++) {
    const events = await read(engine, room, { place: at, backwards })
    const last = events.at(-1)
    if (last === undefined) return undefined
    const found = closest(await query.filter(events), query)
    if (found !== undefined) return found
    at = { depth: last.depth, nid: backwards ? last.nid : last.nid + 1 }
  }
  return undefined
}

function closest(events: readonly StoredEvent[], { ts, direction }: TimeQuery): StoredEvent | undefined {
  const sign = direction === 'f' ? 1 : -1
  let best: StoredEvent | undefined
  for (const event of events) {
    const distance = sign * (event.originServerTs - ts)
    if (distance < 0) continue
    const bestDistance = best === undefined ? Infinity : sign * (best.originServerTs - ts)
    const isNearer = distance < bestDistance || (distance === bestDistance && isFurther(event, best!, sign))
    if (isNearer) best = event
  }
  return best
}

/** Of events with the same time: the first of them when reading on, the last when reading back. */
function isFurther(event: StoredEvent, best: StoredEvent, sign: number): boolean {
  return sign * (event.depth - best.depth || event.nid - best.nid) < 0
}

/** The place before the first event at or after a time, as far as times are in order. */
async function placeOfTime(engine: RoomEngine, room: RoomInfo, ts: number): Promise<GraphPlace> {
  const [first] = await read(engine, room, { place: HISTORY_START, backwards: false, limit: 1 })
  const [last] = await read(engine, room, { place: HISTORY_END, backwards: true, limit: 1 })
  if (first === undefined || last === undefined) return HISTORY_END
  let low = first.depth
  let high = last.depth + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const place = { depth: middle, nid: HISTORY_START.nid }
    const [event] = await read(engine, room, { place, backwards: false, limit: 1 })
    if (event === undefined || event.originServerTs >= ts) high = middle
    else low = event.depth + 1
  }
  return { depth: low, nid: HISTORY_START.nid }
}

/** Events from a place on, the nearest first. */
function read(
  engine: RoomEngine,
  room: RoomInfo,
  { place, backwards, limit = WINDOW }: { place: GraphPlace; backwards: boolean; limit?: number },
): Promise<StoredEvent[]> {
  const range = backwards
    ? { after: HISTORY_START, before: place }
    : { after: { depth: place.depth, nid: Math.max(BEGINNING, place.nid - 1) }, before: HISTORY_END }
  return listHistory(engine, room, { ...range, arrivedBefore: END, backwards, limit })
}
