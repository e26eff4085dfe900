// https://github.com/matrix-org/matrix-spec-proposals/pull/4354
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { listSticky } from '@causeway/store/tables/sticky-events.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import { findEventsByNid, isShown } from '../../rooms/read-events.ts'
import { renderEvents, type EventReader } from '../../rooms/render-event.ts'
import { saysSticky } from '../../rooms/sticky-events.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { filterVisible } from '../../rooms/visibility.ts'
import type { SyncContext } from '../context.ts'
import { joinedSince } from '../joined-since.ts'

/** Events of one answer; the others come with the next ones. */
const MAX_STICKY = 100
/** Of the rooms that the reader came into, all at once, but for so many: the newest. */
const MAX_FRESH = 1_000

/** What is sticky in the rooms that are asked about. */
export interface StickyNews {
  readonly rooms: ReadonlyMap<RoomId, readonly StoredEvent[]>
  /** How far it was read; undefined: to the end. */
  readonly readUpTo: number | undefined
}

export interface StickyInput {
  /** Rooms that the reader is in. */
  readonly joined: readonly UserRoom[]
  /** What they have got up to which position; 0: nothing. */
  readonly after: number
  /** The entries in memory reach back to there. */
  readonly isInMemory: boolean
  readonly limit: number
}

type Context = Pick<SyncContext, 'hs' | 'session' | 'since' | 'now' | 'entries'>

const NOTHING: StickyNews = { rooms: new Map(), readUpTo: undefined }

/**
 * Events that are sticky, the oldest first, in the joined rooms: all at first, then those that have come; of a room that
 * the reader came into, all. Costs no query where none have come.
 */
export async function readSticky(ctx: SyncContext): Promise<ReadonlyMap<RoomId, readonly StoredEvent[]>> {
  const { since, now, entries, filter, rooms, hs } = ctx
  if (!hs.rooms.sticky.mayBeAny()) return NOTHING.rooms
  const joined = [...rooms.joined].filter((roomId) => filter.passesRoom(roomId))
  const news = await readStickyOf(ctx, {
    joined: joined.map((roomId) => rooms.byId.get(roomId)!),
    after: since?.sticky ?? since?.position ?? 0,
    isInMemory: entries !== undefined && since?.sticky === undefined,
    limit: MAX_STICKY,
  })
  if (news.readUpTo !== undefined) now.sticky = news.readUpTo
  return news.rooms
}

export async function readStickyOf(ctx: Context, input: StickyInput): Promise<StickyNews> {
  const { hs, session, now } = ctx
  if (!hs.rooms.sticky.mayBeAny()) return NOTHING
  const fresh = await freshRooms(ctx, input)
  if (fresh.length === 0 && input.isInMemory && !hasSticky(ctx)) return NOTHING
  const freshNids = new Set(fresh.map(({ roomNid }) => roomNid))
  const others = input.joined.filter(({ roomNid }) => !freshNids.has(roomNid)).map(({ roomNid }) => roomNid)
  const range = { upTo: now.position, now: hs.clock.now() }
  const [ofFresh, ofOthers] = await Promise.all([
    list(hs, [...freshNids], { ...range, after: 0, limit: MAX_FRESH, newest: true }),
    list(hs, others, { ...range, after: input.after, limit: input.limit + 1 }),
  ])
  const isShort = ofOthers.length > input.limit
  const rows = [...ofFresh, ...ofOthers.slice(0, input.limit)].toSorted((a, b) => a.position - b.position)
  const ignored = await hs.rooms.ignored.of(session.userId)
  const events = await findEventsByNid(
    hs.rooms,
    rows.map((row) => row.event_nid),
  )
  const told = rows
    .flatMap((row) => events.get(row.event_nid) ?? [])
    .filter((event) => isShown(event) && !ignored.includes(event.sender))
  return {
    rooms: Map.groupBy(told, ({ roomId }) => roomId),
    readUpTo: isShort ? (ofOthers[input.limit - 1]?.position ?? input.after) : undefined,
  }
}

async function list(
  { db }: Pick<SyncContext['hs'], 'db'>,
  roomNids: readonly number[],
  range: Parameters<typeof listSticky>[2],
): ReturnType<typeof listSticky> {
  return roomNids.length === 0 ? [] : listSticky(db, roomNids, range)
}

/** Rooms that the reader came into, or is shown for the first time, since their last sync. */
async function freshRooms(ctx: Context, { joined, after }: StickyInput): Promise<UserRoom[]> {
  const since = ctx.since?.position ?? after
  if (since === 0) return []
  const { partial } = ctx.hs.rooms
  const fresh: UserRoom[] = []
  for (const room of joined) {
    const isWhole = (partial.wholeSince(room.roomNid) ?? 0) > since
    const isNew = room.eventNid > since && (await joinedSince(ctx, room, since, undefined))
    if (isWhole || isNew) fresh.push(room)
  }
  return fresh
}

function hasSticky({ entries = [] }: Context): boolean {
  return entries.some(
    (entry) => entry.kind === 'sticky' || (entry.kind === 'event' && saysSticky(entry.event)),
  )
}

/** As events for whoever is in the room. */
export async function renderSticky(
  engine: RoomEngine,
  room: RoomInfo,
  reader: EventReader,
  events: readonly StoredEvent[],
): Promise<string[]> {
  return renderEvents(engine, room, reader, await filterVisible(engine, room, reader.userId, events))
}
