// https://github.com/matrix-org/matrix-spec-proposals/pull/4354
import { MAX_STICKY_MS, stickyUntil } from '@causeway/matrix/events/sticky.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step, WriteValue } from '@causeway/store/db/database.ts'
import { EventFlag, type LogEntry, type StoredEvent } from '@causeway/store/log/entry.ts'
import {
  findLastSticky,
  findStickyUntil,
  insertSticky,
  listRoomsOfRefusedSticky,
  moveSticky,
} from '@causeway/store/tables/sticky-events.ts'
import type { RoomEngine } from './engine.ts'
import { isShown } from './read-events.ts'
import type { NewEvent } from './room-write.ts'

type Stickable = Pick<StoredEvent, 'nid' | 'flags'>

/** Until when events are sticky: a query for many events, and none while it is in memory or nothing is sticky at all. */
export interface StickyEvents {
  /** False: nothing in any room is sticky now. */
  mayBeAny(): boolean
  /** Of some events those that are sticky now, by number, with the time until which they are. */
  untilOf(events: readonly Stickable[]): Promise<ReadonlyMap<number, number>>
  /** Whether a room, or any, may have soft-failed events that are still sticky: no query. */
  mayBeRefused(roomNid?: number): boolean
  refusedRooms(): Iterable<number>
  /** A sticky event of a room was soft-failed. */
  noteRefused(roomNid: number): void
  /** Takes in an entry of the log. */
  apply(entry: LogEntry): void
  /** Entries may have been missed. */
  clear(): void
}

const NONE: ReadonlyMap<number, number> = new Map()

/** Whether an event says that it is sticky; whether it still is, is a matter of time. */
export function saysSticky({ flags }: Pick<StoredEvent, 'flags'>): boolean {
  return (flags & EventFlag.sticky) !== 0
}

export async function createStickyEvents(
  db: Database,
  budget: MemoryBudget,
  clock: Clock,
): Promise<StickyEvents> {
  /** By number; 0 for what is not sticky any more. Never changes: a number is one event's. */
  const held = budget.cache<number, number>({ name: 'sticky_events', share: 0.005, weigh: () => 80 })
  let last = await findLastSticky(db)
  /** Rooms with soft-failed sticky events, and until when one may be: those of an hour. */
  const refused = new Map<number, number>()
  let lastRefused = 0
  const noteRefused = (roomNid: number): void => {
    last = lastRefused = clock.now() + MAX_STICKY_MS
    refused.set(roomNid, last)
  }
  for (const roomNid of await listRoomsOfRefusedSticky(db, clock.now())) noteRefused(roomNid)
  const load = async (nids: readonly number[]): Promise<Map<number, number>> => {
    const rows = nids.length === 0 ? [] : await findStickyUntil(db, nids)
    const found = new Map(rows.map((row) => [row.event_nid, row.until_ts]))
    for (const nid of nids) held.set(nid, found.get(nid) ?? 0)
    return found
  }
  const mayBeAny = (): boolean => last > clock.now()
  const expect = (): void => void (last = clock.now() + MAX_STICKY_MS)
  return {
    mayBeAny,
    async untilOf(events) {
      const nids = mayBeAny() ? events.filter(saysSticky).map(({ nid }) => nid) : []
      if (nids.length === 0) return NONE
      const known = new Map(nids.map((nid) => [nid, held.get(nid)]))
      const loaded = await load(nids.filter((nid) => known.get(nid) === undefined))
      const now = clock.now()
      const all = nids.map((nid) => [nid, known.get(nid) ?? loaded.get(nid) ?? 0] as const)
      return new Map(all.filter(([, until]) => until > now))
    },
    mayBeRefused(roomNid) {
      if (lastRefused <= clock.now()) refused.clear()
      if (roomNid === undefined) return refused.size > 0
      if ((refused.get(roomNid) ?? 0) > clock.now()) return true
      refused.delete(roomNid)
      return false
    },
    refusedRooms: () => refused.keys(),
    noteRefused,
    apply(entry) {
      if (entry.kind === 'sticky' || (entry.kind === 'event' && saysSticky(entry.event))) expect()
    },
    clear: expect,
  }
}

/** Whether an event of a write comes otherwise than by the log and has to be told all the same. */
export function isStickyHistory({ place, stored }: NewEvent): boolean {
  return place === 'history' && saysSticky(stored) && isShown(stored)
}

/** Whether an event of a write is soft-failed, and may be accepted while it is sticky. */
export function isRefusedSticky({ stored }: NewEvent): boolean {
  return saysSticky(stored) && (stored.flags & EventFlag.softFailed) !== 0
}

/**
 * What is stored of a sticky event: until when it is. Of what is soft-failed too, since it may be accepted in time. Of
 * servers that have too many nothing is: no more than any other event is theirs.
 * @param nid its number, known only at commit
 * @param position from which on it is told, where it does not come by the log
 */
export function stickySteps(
  { clock, serverName, stickyLimit }: Pick<RoomEngine, 'clock' | 'serverName' | 'stickyLimit'>,
  event: NewEvent,
  nid: WriteValue,
  position: WriteValue,
): Step[] {
  const { stored, roomEvent, outlier } = event
  const isRefused = isRefusedSticky(event)
  if (!saysSticky(stored) || !(isShown(stored) || isRefused)) return []
  const told = isRefused ? 0 : position
  if (outlier !== undefined && (outlier.flags & EventFlag.softFailed) !== 0)
    return [moveSticky(outlier.nid, nid, told)]
  const now = clock.now()
  const until = stickyUntil(roomEvent.pdu, now)
  if (until === undefined || until <= now) return []
  const server = serverNameOf(stored.sender)
  const isOurs = server === serverName
  if (!isOurs && !stickyLimit.admit(server)) return []
  return [insertSticky({ roomNid: stored.roomNid, eventNid: nid, position: told, until, isOurs })]
}
