import type { Database, Row, Step, TableShape } from '../db/database.ts'

const REMOTE_MEDIA: TableShape = {
  name: 'remote_media',
  columns: [
    { name: 'server_name', type: 'text' },
    { name: 'media_id', type: 'text' },
    { name: 'hash', type: 'text' },
    { name: 'size', type: 'int' },
    { name: 'content_type', type: 'text' },
    { name: 'filename', type: 'text' },
    { name: 'fetched_ts', type: 'int' },
    { name: 'used_ts', type: 'int' },
    { name: 'is_open', type: 'int' },
  ],
  onConflict: { key: ['server_name', 'media_id'], action: 'replace' },
}

/** One row of `remote_media`, columns as in the schema. */
export interface RemoteMediaRow extends Row {
  server_name: string
  media_id: string
  hash: string
  size: number
  content_type: string
  filename: string
  fetched_ts: number
  used_ts: number
  is_open: number
}

const COLUMNS = REMOTE_MEDIA.columns.map(({ name }) => name).join(', ')

/** Media of another server, if it was fetched. */
export async function findRemoteMediaRow(
  db: Database,
  serverName: string,
  mediaId: string,
): Promise<RemoteMediaRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM remote_media WHERE server_name = ? AND media_id = ?`
  return (await db.query<RemoteMediaRow>(sql, [serverName, mediaId]))[0]
}

export function setRemoteMedia(row: RemoteMediaRow): Step {
  return { into: REMOTE_MEDIA, values: REMOTE_MEDIA.columns.map(({ name }) => row[name]!) }
}

export function touchRemoteMedia(serverName: string, mediaId: string, now: number): Step {
  return {
    sql: 'UPDATE remote_media SET used_ts = ? WHERE server_name = ? AND media_id = ?',
    params: [now, serverName, mediaId],
  }
}

export function deleteRemoteMediaRow(serverName: string, mediaId: string): Step {
  return {
    sql: 'DELETE FROM remote_media WHERE server_name = ? AND media_id = ?',
    params: [serverName, mediaId],
  }
}

/** Bytes of all that is kept of other servers. */
export async function sumRemoteMedia(db: Database): Promise<number> {
  const sql = 'SELECT CAST(COALESCE(sum(size), 0) AS BIGINT) AS total FROM remote_media'
  return (await db.query<{ total: number }>(sql, []))[0]?.total ?? 0
}

/** What was last asked for before a time, the longest unused first. */
export function listUnusedRemoteMedia(
  db: Database,
  before: number,
  limit: number,
): Promise<RemoteMediaRow[]> {
  return db.query<RemoteMediaRow>(
    `SELECT ${COLUMNS} FROM remote_media WHERE used_ts < ? ORDER BY used_ts LIMIT ?`,
    [before, limit],
  )
}
