import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { filterEvents, withoutIgnored } from '../rooms/filter-events.ts'
import { isShown, MERGE_TYPE } from '../rooms/read-events.ts'
import { withoutExpired } from '../rooms/retention/expiry.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import type { SyncContext } from './context.ts'
import type { PageToken } from './pagination-token.ts'
import { arrivalOrder, graphOrder, isInGraphOrder, newestAt, type TimelineOrder } from './timeline-order.ts'

/** A stretch of a room's timeline as one reader gets it, oldest first. */
export interface Timeline {
  readonly events: readonly VisibleEvent[]
  /** There are older events, after the reader's position, that were left out. */
  readonly limited: boolean
  /** Where the rest begins: what `prev_batch` stands for. */
  readonly before: PageToken
  /** Root of the room's state just before the first event; at the end when there is none. */
  readonly startRoot: number
  /** Root of the room's state at the end. */
  readonly endRoot: number
  /** What it says in turn does not add up to the state at its end: branches met, or a filter left state out. */
  readonly isPartial: boolean
  /** Nothing at all happened there, not even what is not shown. */
  readonly isQuiet: boolean
}

/** Events of a timeline when the filter says nothing. */
export const DEFAULT_LIMIT = 10
const MAX_LIMIT = 500
/** How many portions are read for a filter that hardly anything passes. */
const MAX_PORTIONS = 5

export interface TimelineInput {
  /** Events up to this number, inclusive. */
  readonly upTo: number
  /** Only events after this number; undefined: from the beginning. */
  readonly after: number | undefined
  /** The room's events after `after`, when they are in memory. */
  readonly recent: readonly StoredEvent[] | undefined
  /** The user was joined during the whole stretch, so that everything in it is visible. */
  readonly allVisible: boolean
}

/**
 * The newest events of a room that the reader may see and wants to, in the order in which they came; for who reads the
 * room for the first time in the order of the graph, where that is another, so that what is read is what `/messages`
 * goes on with.
 */
export async function readTimeline(
  ctx: SyncContext,
  room: RoomInfo,
  input: TimelineInput,
): Promise<Timeline> {
  const filter = ctx.filter.timeline
  const limit =
    filter.isEmpty || !filter.passesRoom(room.roomId) ? 0 : Math.min(filter.limit ?? DEFAULT_LIMIT, MAX_LIMIT)
  const engine = ctx.hs.rooms
  const arrival = arrivalOrder(engine, room, input)
  const all =
    input.recent === undefined
      ? await readBack(ctx, room, input, limit, arrival)
      : input.recent.filter(isShown)
  const isOrdered = input.after !== undefined || isInGraphOrder(all)
  const order = isOrdered ? arrival : graphOrder(engine, room, input)
  const { found, gap } = fromLastGap(isOrdered ? all : await readBack(ctx, room, input, limit, order))
  const wanted = await choose(ctx, room, found, input.allVisible)
  const events = limit === 0 ? [] : wanted.slice(-limit)
  const first = events[0]?.event
  const end = all.at(-1) ?? (await newestAt(engine, room, input.upTo))
  const endRoot = end?.roomRoot ?? 0
  return {
    events,
    limited: wanted.length > limit || gap !== undefined,
    before: order.tokenBefore(first ?? gap),
    startRoot: (first && (await order.rootBefore(first))) ?? endRoot,
    endRoot,
    isPartial: !isOrdered || isPartial(found, events),
    isQuiet: all.length === 0,
  }
}

/** Whether state of that stretch is not told by it, or told and not in force at its end. */
function isPartial(found: readonly StoredEvent[], events: readonly VisibleEvent[]): boolean {
  const first = events[0]?.event
  if (first === undefined) return false
  if (events.some(({ event }) => (event.flags & EventFlag.branched) !== 0)) return true
  const stretch = found.slice(found.indexOf(first))
  if (stretch.length === events.length) return false
  const told = new Set(events.map(({ event }) => event.nid))
  return stretch.some(({ nid, stateKey }) => stateKey !== undefined && !told.has(nid))
}

/**
 * What came after the last gap: before it are events that we do not hold, so that a timeline that went on over it
 * would not be one. The reader asks for what is before it, and then other servers are asked.
 */
function fromLastGap(all: readonly StoredEvent[]): {
  readonly found: readonly StoredEvent[]
  /** The event before which the gap lies. */
  readonly gap: StoredEvent | undefined
} {
  const at = all.findLastIndex((event) => (event.flags & EventFlag.gapBefore) !== 0)
  return at === -1 ? { found: all, gap: undefined } : { found: all.slice(at), gap: all[at]! }
}

async function choose(
  ctx: SyncContext,
  room: RoomInfo,
  found: readonly StoredEvent[],
  allVisible: boolean,
): Promise<VisibleEvent[]> {
  const filter = ctx.filter.timeline
  const engine = ctx.hs.rooms
  const { userId } = ctx.session
  const heard = await withoutIgnored(
    engine,
    userId,
    found.filter(({ type }) => type !== MERGE_TYPE),
  )
  const passing = filter.passesAll ? heard : await filterEvents(engine, room, userId, filter, heard)
  if (allVisible) {
    const living = await withoutExpired(engine, room, passing)
    return living.map((event) => ({ event, membership: 'join' }))
  }
  return filterVisible(engine, room, userId, passing)
}

/** Reads backwards until more than `limit` events pass, or a few portions hold no more. Oldest first. */
async function readBack(
  ctx: SyncContext,
  room: RoomInfo,
  { allVisible }: TimelineInput,
  limit: number,
  order: TimelineOrder,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const size = (limit + 1) * 2 ** portion
    const read = await order.readBefore(events.at(-1), size)
    events.push(...read)
    if (read.length < size) break
    if ((await choose(ctx, room, events, allVisible)).length > limit) break
  }
  return events.reverse()
}
