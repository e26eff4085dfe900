import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import type { GraphPlace } from '@causeway/store/tables/events.ts'
import type { Homeserver } from '../homeserver.ts'
import {
  HISTORY_END,
  HISTORY_START,
  listHistory,
  placeOfArrival,
  type HistoryPlace,
} from '../rooms/history/read-history.ts'
import { filterEvents, withoutIgnored } from '../rooms/filter-events.ts'
import { BEGINNING, END, listTimeline } from '../rooms/read-events.ts'
import { filterVisible, showAll, type VisibleEvent } from '../rooms/visibility.ts'
import type { EventFilter } from '../sync/filter.ts'
import type { PageToken } from '../sync/pagination-token.ts'
import type { Session } from '../http/endpoint.ts'
import type { RoomAccess } from './room-access.ts'

/** The longest page. */
export const MAX_PAGE = 1_000
/** Portions read for a filter that hardly anything passes, before the client is asked to come again. */
const MAX_PORTIONS = 8
/** How often a portion is read again because other servers told more of it: no server has us ask without end. */
const MAX_ROUNDS = 30
/** How long a page waits for other servers, in milliseconds: all its gaps together. */
const PATIENCE_MS = 10_000

export interface Page {
  readonly events: readonly VisibleEvent[]
  /** Where it began, however the request said it. */
  readonly start: PageToken
  /** Where the next page begins; undefined at the end of what there is. */
  readonly next: PageToken | undefined
}

export interface PageRequest {
  /** Absent: the end of the room for a page backwards, its beginning for one forwards. */
  readonly from: PageToken | undefined
  /** Where to stop. */
  readonly to: PageToken | undefined
  readonly backwards: boolean
  readonly limit: number
  readonly filter: EventFilter
}

/** What a page is read with: the rooms, and whom to ask for what is missing. */
export type PageReader = Pick<Homeserver, 'rooms' | 'history'>

/** How a page goes through events in its order. */
interface Cursor {
  /** The next events in the direction of reading; fewer than `limit` at the end. */
  read(limit: number): Promise<StoredEvent[]>
  /** Goes on after an event. */
  moveTo(event: StoredEvent): void
  token(): PageToken
}

/**
 * One page of a room's history that a user may see, in the direction of reading. Backwards in the order of the
 * graph, over gaps, for which other servers are asked; forwards from a sync token in the order of arrival, so that
 * the reader gets what the sync would have told.
 */
export async function readPage(
  hs: PageReader,
  session: Pick<Session, 'userId'>,
  access: RoomAccess,
  request: PageRequest,
): Promise<Page> {
  const cursor = await openCursor(hs, access, request)
  const start = cursor.token()
  const { limit, filter } = request
  const events: VisibleEvent[] = []
  if (filter.isEmpty || !filter.passesRoom(access.room.roomId)) return { events, start, next: undefined }
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const size = Math.min(limit - events.length + 1, MAX_PAGE)
    const read = await cursor.read(size)
    const wanted = await filterEvents(hs.rooms, access.room, session.userId, filter, read)
    for (const visible of await seenBy(hs, session, access, wanted)) {
      if (events.length === limit) return { events, start, next: cursor.token() }
      events.push(visible)
      cursor.moveTo(visible.event)
    }
    // At the end: a page that has events still says where it ended, as clients expect.
    const isEnd = events.length === 0 && !isPartial(hs, access)
    if (read.length < size) return { events, start, next: isEnd ? undefined : cursor.token() }
    cursor.moveTo(read.at(-1)!)
  }
  return { events, start, next: cursor.token() }
}

async function seenBy(
  hs: PageReader,
  { userId }: Pick<Session, 'userId'>,
  { room, isWhole = false }: RoomAccess,
  events: readonly StoredEvent[],
): Promise<VisibleEvent[]> {
  if (isWhole) return showAll(hs.rooms, room, events)
  return filterVisible(hs.rooms, room, userId, await withoutIgnored(hs.rooms, userId, events))
}

async function openCursor(hs: PageReader, access: RoomAccess, request: PageRequest): Promise<Cursor> {
  const { from, backwards } = request
  if (!backwards && from?.order === 'arrival') return arrivalCursor(hs, access, from.before, request.to)
  return graphCursor(hs, access, request)
}

function arrivalCursor(hs: PageReader, access: RoomAccess, from: number, to: PageToken | undefined): Cursor {
  let place = from
  const end = to?.order === 'arrival' ? to.before : (to?.place.arrivedBefore ?? END)
  return {
    read: (limit) =>
      listTimeline(hs.rooms, access.room, {
        after: Math.max(BEGINNING, place - 1),
        before: Math.min(end, access.upTo + 1),
        backwards: false,
        limit,
      }),
    moveTo: ({ nid }) => void (place = nid + 1),
    token: () => ({ order: 'arrival', before: place }),
  }
}

async function graphCursor(
  hs: PageReader,
  access: RoomAccess,
  { from, to, backwards }: PageRequest,
): Promise<Cursor> {
  const { room } = access
  const begin = await placeOf(hs, access, from, backwards)
  const end = to === undefined ? undefined : await placeOf(hs, access, to, backwards)
  const deadline = hs.rooms.clock.monotonic() + PATIENCE_MS
  let place: HistoryPlace = begin
  const read = (limit: number): Promise<StoredEvent[]> =>
    listHistory(hs.rooms, room, {
      ...(backwards
        ? { after: end === undefined ? HISTORY_START : beforePlace(end), before: place }
        : { after: beforePlace(place), before: end ?? HISTORY_END }),
      arrivedBefore: place.arrivedBefore,
      backwards,
      limit,
    })
  return {
    read: backwards
      ? (limit) => readOverGaps(hs, access, { deadline, read: () => read(limit), from: place, limit, end })
      : read,
    moveTo: ({ depth, nid }) => void (place = { ...place, depth, nid: backwards ? nid : nid + 1 }),
    token: () => ({ order: 'graph', place }),
  }
}

/** The last place before another. */
function beforePlace({ depth, nid }: GraphPlace): GraphPlace {
  return { depth, nid: Math.max(BEGINNING, nid - 1) }
}

async function placeOf(
  hs: PageReader,
  { room, upTo }: RoomAccess,
  token: PageToken | undefined,
  backwards: boolean,
): Promise<HistoryPlace> {
  const arrivedBefore = upTo >= END - 1 ? END : upTo + 1
  if (token?.order === 'graph') {
    return { ...token.place, arrivedBefore: Math.min(token.place.arrivedBefore, arrivedBefore) }
  }
  if (token === undefined && !backwards) return { ...HISTORY_START, arrivedBefore }
  return placeOfArrival(hs.rooms, room, Math.min(token?.before ?? END, arrivedBefore))
}

/** Whether the room's members are on their way still: until then its history is not to be had as a whole. */
function isPartial({ rooms }: PageReader, { room }: RoomAccess): boolean {
  return rooms.partial.find(room.roomNid) !== undefined
}

interface GapRead {
  readonly read: () => Promise<StoredEvent[]>
  readonly from: GraphPlace
  readonly end: GraphPlace | undefined
  readonly limit: number
  readonly deadline: number
}

/** Reads a stretch, and again after other servers have told what was missing in it. */
async function readOverGaps(
  hs: PageReader,
  access: RoomAccess,
  { read, from, end, limit, deadline }: GapRead,
): Promise<StoredEvent[]> {
  for (let round = 0; ; round++) {
    const [events, mayLack] = await Promise.all([read(), hs.history.mayLack(access.room, from)])
    // Asked at the same moment: a gap that came in between is seen by the event before which it is.
    if (!mayLack && !events.some(({ flags }) => (flags & EventFlag.gapBefore) !== 0)) return events
    const last = events.length < limit ? end : events.at(-1)
    const downTo = last?.depth ?? BEGINNING
    if (round === MAX_ROUNDS || hs.rooms.clock.monotonic() >= deadline) return events
    if (!(await hs.history.fill(access.room, { from, downTo }, deadline))) return events
    // A short page now is worth more than a full one when all members are here.
    if (isPartial(hs, access)) return read()
  }
}
