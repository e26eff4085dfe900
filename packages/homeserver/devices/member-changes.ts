import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { listStateEventRows } from '@causeway/store/tables/device-lists.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { membershipBefore } from '../rooms/membership-before.ts'
import { isShown } from '../rooms/read-events.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'

/** One user in one room during a stretch of the log: joined or not at its start, and after each change. */
export interface Stay {
  readonly wasJoined: boolean
  /** In order of position. */
  readonly changes: readonly { readonly position: number; readonly isJoined: boolean }[]
}

/** User → room number → stay; only users and rooms with a membership event in the stretch. */
export type Stays = ReadonlyMap<UserId, ReadonlyMap<number, Stay>>

/** A stretch of the log: after `after`, up to and including `upTo`. */
export interface LogRange {
  readonly after: number
  readonly upTo: number
}

/** Membership events among log entries. */
export function memberEventsOf(entries: readonly LogEntry[]): StoredEvent[] {
  const events: StoredEvent[] = []
  for (const entry of entries)
    if (entry.kind === 'event' && isMembership(entry.event)) events.push(entry.event)
  return events
}

function isMembership(event: StoredEvent): boolean {
  return event.type === 'm.room.member' && event.stateKey !== undefined && isShown(event)
}

/** State events that are read and parsed at once, so that a long absence does not hold up everybody else. */
const PORTION = 1_000
/** After so many, exactness is no longer worth the work. */
const MAX_PORTIONS = 20

/**
 * The same from the table, for readers who were away for longer than the log in memory reaches; undefined when
 * too much has happened.
 */
export async function readMemberEvents(
  engine: RoomEngine,
  roomNids: readonly number[],
  { after, upTo }: LogRange,
): Promise<StoredEvent[] | undefined> {
  const events: StoredEvent[] = []
  let from = after
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const rows =
      roomNids.length === 0
        ? []
        : await listStateEventRows(engine.db, roomNids, { after: from, upTo, limit: PORTION })
    for (const row of rows) {
      const event = storedEventOfRow(await getRoomByNid(engine, row.room_nid), row)
      if (isMembership(event)) events.push(event)
    }
    if (rows.length < PORTION) return events
    from = rows.at(-1)!.nid
  }
  return undefined
}

/**
 * Orders membership events by user and room; who only changed a name or picture is left out. Costs one look into
 * the state before each user's first event.
 */
export async function collectStays(engine: RoomEngine, events: readonly StoredEvent[]): Promise<Stays> {
  const stays = new Map<UserId, Map<number, OpenStay>>()
  for (const event of events) {
    const userId = event.stateKey as UserId
    const rooms = stays.get(userId) ?? new Map<number, OpenStay>()
    stays.set(userId, rooms)
    const known = rooms.get(event.roomNid)
    const stay = known ?? { wasJoined: (await membershipBefore(engine, event)) === 'join', changes: [] }
    if (known === undefined) rooms.set(event.roomNid, stay)
    const isJoined = event.content['membership'] === 'join'
    const isMove = isJoined !== (stay.changes.at(-1)?.isJoined ?? stay.wasJoined)
    if (isMove) stay.changes.push({ position: event.nid, isJoined })
  }
  return withoutIdle(stays)
}

interface OpenStay {
  readonly wasJoined: boolean
  readonly changes: { position: number; isJoined: boolean }[]
}

function withoutIdle(stays: Map<UserId, Map<number, OpenStay>>): Stays {
  for (const [userId, rooms] of stays) {
    for (const [roomNid, stay] of rooms) if (stay.changes.length === 0) rooms.delete(roomNid)
    if (rooms.size === 0) stays.delete(userId)
  }
  return stays
}
