import type { Database, Step, TableShape } from '../db/database.ts'

const PUBLISHED_ROOMS: TableShape = {
  name: 'published_rooms',
  columns: [{ name: 'room_nid', type: 'int' }],
  onConflict: { key: ['room_nid'], action: 'ignore' },
}

/** Lists a room in the public directory. */
export function publishRoom(roomNid: number): Step {
  return { into: PUBLISHED_ROOMS, values: [roomNid] }
}

export function unpublishRoom(roomNid: number): Step {
  return { sql: 'DELETE FROM published_rooms WHERE room_nid = ?', params: [roomNid] }
}

export async function isPublished(db: Database, roomNid: number): Promise<boolean> {
  return (await db.query('SELECT room_nid FROM published_rooms WHERE room_nid = ?', [roomNid])).length > 0
}

/** Published rooms with the number of people in them, largest first. */
export function listPublishedRooms(
  db: Database,
): Promise<{ room_nid: number; room_id: string; joined: number }[]> {
  return db.queryLarge(
    `SELECT p.room_nid, r.room_id, count(m.user_id) AS joined
     FROM published_rooms p JOIN rooms r ON r.nid = p.room_nid
     LEFT JOIN memberships m ON m.room_nid = p.room_nid AND m.membership = 'join'
     GROUP BY p.room_nid, r.room_id ORDER BY joined DESC, p.room_nid`,
    [],
  )
}
