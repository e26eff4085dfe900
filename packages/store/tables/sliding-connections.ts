import type { Database, Row, Step, TableShape } from '../db/database.ts'

const SLIDING_CONNECTIONS: TableShape = {
  name: 'sliding_connections',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'conn_id', type: 'text' },
    { name: 'generation', type: 'int' },
    { name: 'written_ts', type: 'int' },
    { name: 'rooms', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'device_id', 'conn_id', 'generation'], action: 'replace' },
}

export interface ConnectionKey {
  readonly userId: string
  readonly deviceId: string
  readonly connId: string
}

export interface ConnectionRow extends Row {
  generation: number
  /** JSON. */
  rooms: string
}

/** The states of a connection that a client may still name. */
export function listConnectionStates(
  db: Database,
  { userId, deviceId, connId }: ConnectionKey,
): Promise<ConnectionRow[]> {
  return db.query<ConnectionRow>(
    `SELECT generation, rooms FROM sliding_connections WHERE user_id = ? AND device_id = ? AND conn_id = ?`,
    [userId, deviceId, connId],
  )
}

/** A device's connections, the one that was written last first. */
export async function listConnectionIds(db: Database, userId: string, deviceId: string): Promise<string[]> {
  const rows = await db.query<{ conn_id: string }>(
    `SELECT conn_id FROM sliding_connections WHERE user_id = ? AND device_id = ?
     GROUP BY conn_id ORDER BY max(written_ts) DESC, conn_id`,
    [userId, deviceId],
  )
  return rows.map((row) => row.conn_id)
}

/** Keeps a new state beside the one that it was made of. */
export function putConnectionState(
  { userId, deviceId, connId }: ConnectionKey,
  base: number,
  state: { readonly generation: number; readonly rooms: string },
  now: number,
): Step[] {
  return [
    {
      sql: `DELETE FROM sliding_connections
            WHERE user_id = ? AND device_id = ? AND conn_id = ? AND generation <> ?`,
      params: [userId, deviceId, connId, base],
    },
    { into: SLIDING_CONNECTIONS, values: [userId, deviceId, connId, state.generation, now, state.rooms] },
  ]
}

export function deleteConnection({ userId, deviceId, connId }: ConnectionKey): Step {
  return {
    sql: 'DELETE FROM sliding_connections WHERE user_id = ? AND device_id = ? AND conn_id = ?',
    params: [userId, deviceId, connId],
  }
}
