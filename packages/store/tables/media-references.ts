import type { Database, Row, Statement, Step, WriteValue } from '../db/database.ts'
import { CURSORS } from '../log/cursor.ts'
import { EventFlag } from '../log/entry.ts'
import { containing } from './like.ts'

const CURSOR = 'media_references'

/** An event refers to media, if there is such media here. @param nid the event's number, known only at commit */
export function insertMediaReference(mediaId: string, nid: WriteValue): Step {
  return {
    sql: `INSERT INTO media_references (media_id, event_nid) SELECT media_id, CAST(? AS BIGINT) FROM media
          WHERE media_id = ? ON CONFLICT DO NOTHING`,
    params: [nid, mediaId],
  }
}

/** The same for an event that has been stored before, unless it was redacted or purged meanwhile. */
export function insertOldMediaReference(mediaId: string, nid: number): Step {
  return {
    sql: `INSERT INTO media_references (media_id, event_nid) SELECT m.media_id, e.nid FROM media m, events e
          WHERE m.media_id = ? AND e.nid = ? AND e.flags & ${EventFlag.redacted} = 0 ON CONFLICT DO NOTHING`,
    params: [mediaId, nid],
  }
}

export function deleteMediaReferences(nid: number): Step {
  return { sql: 'DELETE FROM media_references WHERE event_nid = ?', params: [nid] }
}

/**
 * Before the references of a redacted event go: its media may now be without any. Only what its own author uploaded:
 * nobody gets another's file deleted by pointing at it.
 */
export function noteUnreferenced(nid: number, author: string, now: number): Statement {
  return {
    sql: `INSERT INTO media_unreferenced (media_id, since_ts)
          SELECT r.media_id, CAST(? AS BIGINT) FROM media_references r JOIN media m ON m.media_id = r.media_id
          WHERE r.event_nid = ? AND m.uploader = ? ON CONFLICT DO NOTHING`,
    params: [now, nid, author],
  }
}

/** Media that may be without references since before a time, the oldest first. */
export async function listUnreferencedMedia(db: Database, before: number, limit: number): Promise<string[]> {
  const rows = await db.query<{ media_id: string }>(
    'SELECT media_id FROM media_unreferenced WHERE since_ts <= ? ORDER BY since_ts, media_id LIMIT ?',
    [before, limit],
  )
  return rows.map((row) => row.media_id)
}

export function forgetUnreferenced(mediaId: string): Step {
  return { sql: 'DELETE FROM media_unreferenced WHERE media_id = ?', params: [mediaId] }
}

/** Deletes a row of media unless an event or a profile refers to it at that moment. @param mxc its address */
export function deleteUnreferencedRow(mediaId: string, mxc: string): Step {
  return {
    sql: `DELETE FROM media WHERE media_id = ?
          AND NOT EXISTS (SELECT 1 FROM media_references WHERE media_id = ?)
          AND NOT EXISTS (SELECT 1 FROM profiles WHERE value LIKE ? ESCAPE '!')`,
    params: [mediaId, mediaId, containing(mxc)],
  }
}

/** Whether anybody's account data names an address: stickers and the like. Reads all of it. */
export async function isInAccountData(db: Database, mxc: string): Promise<boolean> {
  const sql = "SELECT 1 AS one FROM account_data WHERE content LIKE ? ESCAPE '!' LIMIT 1"
  return (await db.queryLarge(sql, [containing(mxc)])).length > 0
}

/** Whether the references of all events are known; before that nothing can be said to be without any. */
export async function areReferencesComplete(db: Database): Promise<boolean> {
  return (await db.query('SELECT 1 AS one FROM cursors WHERE name = ?', [CURSOR])).length > 0
}

export function completeReferences(): Step {
  return { into: CURSORS, values: [CURSOR, 1] }
}

export interface ScannedEvent extends Row {
  nid: number
  json: Uint8Array
}

/** Events of both sequences by number. */
export function listEventsAfter(db: Database, after: number, limit: number): Promise<ScannedEvent[]> {
  return db.queryLarge<ScannedEvent>('SELECT nid, json FROM events WHERE nid > ? ORDER BY nid LIMIT ?', [
    after,
    limit,
  ])
}
