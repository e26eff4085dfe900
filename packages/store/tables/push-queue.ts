import type { Database, Row, Statement } from '../db/database.ts'
import { EMAIL } from './pushers.ts'

/** Room number under which it is kept that the count of unread messages may have changed. */
export const BADGE = 0

/** A pusher may have to be told of an event; where the room waits already, only the revision grows. */
export function markPush(pusherNid: number, roomNid: number, nid: number): Statement {
  return {
    sql: `INSERT INTO push_rooms (pusher_nid, room_nid, from_nid, revision) VALUES (?, ?, ?, 1)
     ON CONFLICT (pusher_nid, room_nid) DO UPDATE SET revision = push_rooms.revision + 1`,
    params: [pusherNid, roomNid, nid],
  }
}

/** Users with pushers whose receipts moved in (after, upTo] of the log: their counts may have changed. */
export function markMovedReceipts(after: number, upTo: number): Statement {
  return {
    sql: `INSERT INTO push_rooms (pusher_nid, room_nid, from_nid, revision)
     SELECT p.nid, ${BADGE}, max(r.position), 1 FROM pushers p JOIN receipts r ON r.user_id = p.user_id
     WHERE r.position > ? AND r.position <= ? AND p.kind <> '${EMAIL}' GROUP BY p.nid
     ON CONFLICT (pusher_nid, room_nid) DO UPDATE SET revision = push_rooms.revision + 1`,
    params: [after, upTo],
  }
}

export interface PushRoomRow extends Row {
  room_nid: number
  from_nid: number
  revision: number
}

/** What a pusher waits to be told of, the longest waiting first. */
export function listPushRooms(db: Database, pusherNid: number, limit: number): Promise<PushRoomRow[]> {
  return db.query<PushRoomRow>(
    `SELECT room_nid, from_nid, revision FROM push_rooms WHERE pusher_nid = ?
     ORDER BY from_nid, room_nid LIMIT ?`,
    [pusherNid, limit],
  )
}

/** Rooms that wait, by pusher; those for which none does are left out. */
export async function countWaitingPushes(
  db: Database,
  pusherNids: readonly number[],
): Promise<Map<number, number>> {
  const rows = await db.query<{ nid: number; n: number }>(
    `SELECT pusher_nid AS nid, count(*) AS n FROM push_rooms
     WHERE pusher_nid IN (?int[]) AND room_nid <> ${BADGE} GROUP BY pusher_nid`,
    [pusherNids],
  )
  return new Map(rows.map(({ nid, n }) => [nid, Number(n)]))
}

/**
 * Everything of a room below `fromNid` is done; with `isAll` the whole room, unless something has come since the row
 * was read.
 */
export function advancePush(
  pusherNid: number,
  row: PushRoomRow,
  fromNid: number,
  isAll: boolean,
): Statement[] {
  const advance: Statement = {
    sql: 'UPDATE push_rooms SET from_nid = ? WHERE pusher_nid = ? AND room_nid = ? AND from_nid = ?',
    params: [fromNid, pusherNid, row.room_nid, row.from_nid],
  }
  if (!isAll) return [advance]
  const remove: Statement = {
    sql: 'DELETE FROM push_rooms WHERE pusher_nid = ? AND room_nid = ? AND revision = ?',
    params: [pusherNid, row.room_nid, row.revision],
  }
  return [remove, advance]
}

/** Of all that waits nothing is left but to tell the count. */
export function givePushUp(pusherNid: number): Statement {
  return {
    sql: `DELETE FROM push_rooms WHERE pusher_nid = ? AND room_nid <> ${BADGE}`,
    params: [pusherNid],
  }
}

/** Marks of a pusher that is gone. */
export function deletePushRooms(pusherNid: number): Statement {
  return { sql: 'DELETE FROM push_rooms WHERE pusher_nid = ?', params: [pusherNid] }
}

/** Marks in a purged room. */
export function deletePushesOfRoom(roomNid: number): Statement {
  return { sql: 'DELETE FROM push_rooms WHERE room_nid = ?', params: [roomNid] }
}

/** Pushers that something waits for, by number after `after`; of one that is gone the gateway is empty. */
export function listWaitingPushers(
  db: Database,
  after: number,
  limit: number,
): Promise<{ nid: number; gateway: string }[]> {
  return db.query<{ nid: number; gateway: string }>(
    `SELECT q.pusher_nid AS nid, coalesce(p.gateway, '') AS gateway
     FROM (SELECT DISTINCT pusher_nid FROM push_rooms WHERE pusher_nid > ? ORDER BY pusher_nid LIMIT ?) AS q
     LEFT JOIN pushers p ON p.nid = q.pusher_nid ORDER BY q.pusher_nid`,
    [after, limit],
  )
}
