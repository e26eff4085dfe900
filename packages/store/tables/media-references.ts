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

/** Events that are still to be sent, and what they are going to show. */
const IN_PENDING = "SELECT 1 FROM delayed_events WHERE finalised_ts = 0 AND content LIKE ? ESCAPE '!'"

/**
 * Deletes media that nothing refers to at that moment: no event, no profile, nothing that is still to be sent. It is noted
 * no more, unless it is kept for what is still to be sent: then it is looked at again, as if it had been noted now.
 * @param mxc its address
 */
export function deleteUnreferencedMedia(mediaId: string, mxc: string, now: number): Step[] {
  const pattern = containing(mxc)
  return [
    {
      sql: `DELETE FROM media WHERE media_id = ?
            AND NOT EXISTS (SELECT 1 FROM media_references WHERE media_id = ?)
            AND NOT EXISTS (SELECT 1 FROM profiles WHERE value LIKE ? ESCAPE '!')
            AND NOT EXISTS (${IN_PENDING})`,
      params: [mediaId, mediaId, pattern, pattern],
    },
    {
      sql: `DELETE FROM media_unreferenced WHERE media_id = ? AND NOT EXISTS (${IN_PENDING})`,
      params: [mediaId, pattern],
    },
    { sql: 'UPDATE media_unreferenced SET since_ts = ? WHERE media_id = ?', params: [now, mediaId] },
  ]
}

/** Account data that may name an address beginning with a text, a page in the order of the table: stickers and the like. */
export function listAccountDataNaming(
  db: Database,
  prefix: string,
  after: AccountDataPlace,
  limit: number,
): Promise<(AccountDataPlace & { content: string })[]> {
  return db.queryLarge(
    `SELECT user_id, room_nid, type, content FROM account_data
     WHERE (user_id, room_nid, type) > (?, CAST(? AS BIGINT), ?) AND content LIKE ? ESCAPE '!'
     ORDER BY user_id, room_nid, type LIMIT ?`,
    [after.user_id, after.room_nid, after.type, containing(prefix), limit],
  )
}

export interface AccountDataPlace extends Row {
  user_id: string
  room_nid: number
  type: string
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

/** Those of the first events of a room that refer to media, of as many as are looked at: in the order of their numbers. */
export function listReferringEvents(db: Database, roomNid: number, among: number): Promise<ScannedEvent[]> {
  return db.queryLarge<ScannedEvent>(
    `SELECT e.nid, e.json FROM (SELECT nid FROM events WHERE room_nid = ? ORDER BY nid LIMIT ?) p
     JOIN events e ON e.nid = p.nid WHERE EXISTS (SELECT 1 FROM media_references r WHERE r.event_nid = p.nid)`,
    [roomNid, among],
  )
}

/** Events of a room, from behind a number on, that may name media of any server. Looks through all of the room. */
export function listEventsNamingMedia(
  db: Database,
  roomNid: number,
  after: number,
  limit: number,
): Promise<ScannedEvent[]> {
  return db.queryLarge<ScannedEvent>(
    "SELECT nid, json FROM events WHERE room_nid = ? AND nid > ? AND UTF8(json) LIKE '%mxc://%' ORDER BY nid LIMIT ?",
    [roomNid, after, limit],
  )
}
