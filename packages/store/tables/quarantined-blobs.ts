import type { Database, Row, Step } from '../db/database.ts'

export interface QuarantinedBlobRow extends Row {
  hash: string
  since_ts: number
  /** A user, or whoever did it on the command line; empty: not known any more. */
  quarantined_by: string
}

const COLUMNS = 'hash, since_ts, quarantined_by'

export async function isQuarantined(db: Database, hash: string): Promise<boolean> {
  return (await findQuarantinedBlob(db, hash)) !== undefined
}

export async function findQuarantinedBlob(
  db: Database,
  hash: string,
): Promise<QuarantinedBlobRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM quarantined_blobs WHERE hash = ?`
  return (await db.query<QuarantinedBlobRow>(sql, [hash]))[0]
}

/** Does nothing where it is already, and where an upload with this content is protected. */
export function insertQuarantinedBlob({
  hash,
  since_ts: since,
  quarantined_by: by,
}: QuarantinedBlobRow): Step {
  return {
    sql: `INSERT INTO quarantined_blobs (${COLUMNS}) SELECT ?, CAST(? AS BIGINT), ?
          WHERE NOT EXISTS (SELECT 1 FROM media WHERE hash = ? AND is_protected = 1) ON CONFLICT DO NOTHING`,
    params: [hash, since, by, hash],
  }
}

export function deleteQuarantinedBlob(hash: string): Step {
  return { sql: 'DELETE FROM quarantined_blobs WHERE hash = ?', params: [hash] }
}

/** The newest first. */
export function listQuarantinedBlobs(db: Database, limit: number): Promise<QuarantinedBlobRow[]> {
  return db.query<QuarantinedBlobRow>(
    `SELECT ${COLUMNS} FROM quarantined_blobs ORDER BY since_ts DESC, hash LIMIT ?`,
    [limit],
  )
}
