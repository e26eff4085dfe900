import type { Database, Row, Step, TableShape, WriteValue } from '../db/database.ts'
import type { EventRow } from './events.ts'

export const DEVICE_LISTS: TableShape = {
  name: 'device_lists',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'position', type: 'int' },
  ],
  onConflict: { key: ['user_id'], action: 'replace' },
}

/** A user's devices changed at `position`; only the last change is kept. */
export function setDeviceListPosition(userId: string, position: WriteValue): Step {
  return { into: DEVICE_LISTS, values: [userId, position] }
}

/**
 * Users whose devices last changed in (after, upTo], of those who are joined to one of the rooms or are named.
 * Who changed again after `upTo` is left out: that change is still to be told.
 */
export async function listChangedDeviceLists(
  db: Database,
  range: { readonly after: number; readonly upTo: number },
  of: { readonly roomNids: readonly number[]; readonly userIds: readonly string[] },
): Promise<string[]> {
  const rows = await db.queryLarge<{ user_id: string }>(
    `SELECT d.user_id FROM device_lists d WHERE d.position > ? AND d.position <= ?
     AND (d.user_id IN (?text[]) OR EXISTS (SELECT 1 FROM memberships m
       WHERE m.user_id = d.user_id AND m.membership = 'join' AND m.room_nid IN (?int[])))`,
    [range.after, range.upTo, of.userIds, of.roomNids],
  )
  return rows.map((row) => row.user_id)
}

/** Whose devices last changed in (after, upTo], in order, at most `limit`: the tables' form of the log's entries. */
export function listDeviceListEntries(
  db: Database,
  after: number,
  upTo: number,
  limit: number,
): Promise<{ user_id: string; position: number }[]> {
  return db.queryLarge(
    `SELECT user_id, position FROM device_lists WHERE position > ? AND position <= ?
     ORDER BY position LIMIT ?`,
    [after, upTo, limit],
  )
}

export interface SharedRoomRow extends Row {
  user_id: string
  room_nid: number
}

/** Which of the rooms each of the users is joined to, as pairs. */
export function listJoinedRoomsOf(
  db: Database,
  userIds: readonly string[],
  roomNids: readonly number[],
): Promise<SharedRoomRow[]> {
  return db.queryLarge<SharedRoomRow>(
    `SELECT user_id, room_nid FROM memberships
     WHERE user_id IN (?text[]) AND membership = 'join' AND room_nid IN (?int[])`,
    [userIds, roomNids],
  )
}

/** For everybody who is joined to one of `inRooms`: which of `roomNids` they are joined to, as pairs. */
export function listJoinedRoomsOfMembers(
  db: Database,
  inRooms: readonly number[],
  roomNids: readonly number[],
): Promise<SharedRoomRow[]> {
  return db.queryLarge<SharedRoomRow>(
    `SELECT DISTINCT b.user_id, b.room_nid FROM memberships a JOIN memberships b ON b.user_id = a.user_id
     WHERE a.room_nid IN (?int[]) AND a.membership = 'join'
       AND b.membership = 'join' AND b.room_nid IN (?int[])`,
    [inRooms, roomNids],
  )
}

/** State events of several rooms in (after, upTo], in order, without those that are never shown. */
export function listStateEventRows(
  db: Database,
  roomNids: readonly number[],
  range: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<EventRow[]> {
  return db.queryLarge<EventRow>(
    `SELECT nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, room_root, json FROM events
     WHERE room_nid IN (?int[]) AND nid > ? AND nid <= ? AND (flags & 7) = 0 AND state_nid <> 0
     ORDER BY nid LIMIT ?`,
    [roomNids, range.after, range.upTo, range.limit],
  )
}
