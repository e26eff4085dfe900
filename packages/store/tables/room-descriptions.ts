import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

/** What a room says of itself: a text is empty where it says nothing. */
export interface RoomDescriptionRow extends Row {
  room_nid: number
  name: string
  canonical_alias: string
  creator: string
  encryption: string
  federatable: number
  join_rules: string
  guest_access: string
  history_visibility: string
  room_type: string
  avatar: string
}

const ROOM_DESCRIPTIONS: TableShape = {
  name: 'room_descriptions',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'is_due', type: 'int' },
    { name: 'name', type: 'text' },
    { name: 'canonical_alias', type: 'text' },
    { name: 'creator', type: 'text' },
    { name: 'encryption', type: 'text' },
    { name: 'federatable', type: 'int' },
    { name: 'join_rules', type: 'text' },
    { name: 'guest_access', type: 'text' },
    { name: 'history_visibility', type: 'text' },
    { name: 'room_type', type: 'text' },
    { name: 'avatar', type: 'text' },
    { name: 'folded_name', type: 'text' },
    { name: 'folded_alias', type: 'text' },
  ],
  onConflict: { key: ['room_nid'], action: 'replace' },
}

export function saveRoomDescription(row: RoomDescriptionRow): Step {
  return {
    into: ROOM_DESCRIPTIONS,
    values: [
      row.room_nid,
      0,
      row.name,
      row.canonical_alias,
      row.creator,
      row.encryption,
      row.federatable,
      row.join_rules,
      row.guest_access,
      row.history_visibility,
      row.room_type,
      row.avatar,
      row.name.toLowerCase(),
      row.canonical_alias.toLowerCase(),
    ],
  }
}

export function deleteRoomDescription(roomNid: number): Statement {
  return { sql: 'DELETE FROM room_descriptions WHERE room_nid = ?', params: [roomNid] }
}

/** Rooms that were never described, at most `limit`. */
export async function listDueDescriptions(db: Database, limit: number): Promise<number[]> {
  const rows = await db.query<{ room_nid: number }>(
    'SELECT room_nid FROM room_descriptions WHERE is_due = 1 ORDER BY room_nid LIMIT ?',
    [limit],
  )
  return rows.map((row) => row.room_nid)
}

/** The pictures of all rooms, each once. */
export async function listRoomAvatars(db: Database): Promise<Set<string>> {
  const sql = "SELECT DISTINCT avatar FROM room_descriptions WHERE avatar <> ''"
  return new Set((await db.queryLarge<{ avatar: string }>(sql, [])).map((row) => row.avatar))
}
