import type { Database, Row, Step, TableShape } from '../db/database.ts'

const QUARANTINED_BLOBS: TableShape = {
  name: 'quarantined_blobs',
  columns: [
    { name: 'hash', type: 'text' },
    { name: 'since_ts', type: 'int' },
  ],
  onConflict: { key: ['hash'], action: 'ignore' },
}

export interface QuarantinedBlobRow extends Row {
  hash: string
  since_ts: number
}

export async function isQuarantined(db: Database, hash: string): Promise<boolean> {
  return (await db.query('SELECT 1 AS one FROM quarantined_blobs WHERE hash = ?', [hash])).length > 0
}

/** Does nothing where it is already. */
export function insertQuarantinedBlob(hash: string, sinceTs: number): Step {
  return { into: QUARANTINED_BLOBS, values: [hash, sinceTs] }
}

export function deleteQuarantinedBlob(hash: string): Step {
  return { sql: 'DELETE FROM quarantined_blobs WHERE hash = ?', params: [hash] }
}

/** The newest first. */
export function listQuarantinedBlobs(db: Database, limit: number): Promise<QuarantinedBlobRow[]> {
  return db.query<QuarantinedBlobRow>(
    'SELECT hash, since_ts FROM quarantined_blobs ORDER BY since_ts DESC, hash LIMIT ?',
    [limit],
  )
}
