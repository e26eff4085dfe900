import type { Database, Step, TableShape } from '../db/database.ts'

export const ROOM_ALIASES: TableShape = {
  name: 'room_aliases',
  columns: [
    { name: 'alias', type: 'text' },
    { name: 'room_id', type: 'text' },
    { name: 'creator', type: 'text' },
  ],
}

export interface AliasRecord {
  readonly roomId: string
  readonly creator: string
}

/** Where an alias of ours points, or undefined. */
export async function findAlias(db: Database, alias: string): Promise<AliasRecord | undefined> {
  const rows = await db.query<{ room_id: string; creator: string }>(
    'SELECT room_id, creator FROM room_aliases WHERE alias = ?',
    [alias],
  )
  return rows[0] === undefined ? undefined : { roomId: rows[0].room_id, creator: rows[0].creator }
}

/** Aliases of ours that point at a room, in alphabetical order. */
export async function listAliases(db: Database, roomId: string): Promise<string[]> {
  const rows = await db.query<{ alias: string }>(
    'SELECT alias FROM room_aliases WHERE room_id = ? ORDER BY alias',
    [roomId],
  )
  return rows.map((row) => row.alias)
}

/** Claims an alias; refused (`conflict`) when it is taken. */
export function insertAlias(alias: string, roomId: string, creator: string): Step {
  return { into: ROOM_ALIASES, values: [alias, roomId, creator] }
}

export function deleteAlias(alias: string): Step {
  return { sql: 'DELETE FROM room_aliases WHERE alias = ?', params: [alias], expectRows: 1 }
}

/** Points all aliases of ours for one room at another. */
export function moveAliases(from: string, to: string): Step {
  return { sql: 'UPDATE room_aliases SET room_id = ? WHERE room_id = ?', params: [to, from] }
}
