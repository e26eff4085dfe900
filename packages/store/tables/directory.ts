import type { Database, Row, Step, TableShape } from '../db/database.ts'

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

export interface PublishedRow extends Row {
  room_nid: number
  /** The network whose directory an appservice lists it in; empty: our own directory. */
  network_id: string
}

/** Every room of every directory, in no particular order. */
export function listPublishedRooms(db: Database): Promise<PublishedRow[]> {
  return db.queryLarge<PublishedRow>(
    `SELECT room_nid, '' AS network_id FROM published_rooms
     UNION ALL SELECT room_nid, network_id FROM appservice_published_rooms`,
    [],
  )
}
