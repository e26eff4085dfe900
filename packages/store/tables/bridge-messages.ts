import type { Database, Step, TableShape } from '../db/database.ts'

const MESSAGE_LINK: TableShape = {
  name: 'message_link',
  columns: [
    { name: 'event_id', type: 'text' },
    { name: 'portal_nid', type: 'int' },
    { name: 'part', type: 'int' },
    { name: 'remote_id', type: 'text' },
    { name: 'room_id', type: 'text' },
    { name: 'remote_author', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
  onConflict: { key: ['event_id', 'portal_nid', 'part'], action: 'replace' },
}

/** One part of a message on both sides. */
export interface MessageLinkRecord {
  readonly eventId: string
  readonly portalNid: number
  readonly part: number
  readonly remoteId: string
  readonly roomId: string
  readonly remoteAuthor: string
  readonly createdTs: number
}

type LinkRow = {
  event_id: string
  portal_nid: number
  part: number
  remote_id: string
  room_id: string
  remote_author: string
  created_ts: number
}

function fromRow(row: LinkRow): MessageLinkRecord {
  return {
    eventId: row.event_id,
    portalNid: row.portal_nid,
    part: row.part,
    remoteId: row.remote_id,
    roomId: row.room_id,
    remoteAuthor: row.remote_author,
    createdTs: row.created_ts,
  }
}

export function setMessageLink(link: MessageLinkRecord): Step {
  const { eventId, portalNid, part, remoteId, roomId, remoteAuthor, createdTs } = link
  return { into: MESSAGE_LINK, values: [eventId, portalNid, part, remoteId, roomId, remoteAuthor, createdTs] }
}

/** The parts of an event in one portal, in their order. */
export async function listMessageLinks(
  db: Database,
  portalNid: number,
  eventId: string,
): Promise<MessageLinkRecord[]> {
  const sql = 'SELECT * FROM message_link WHERE event_id = ? AND portal_nid = ? ORDER BY part'
  return (await db.query<LinkRow>(sql, [eventId, portalNid])).map(fromRow)
}

/** The newest event that a remote message stands for, or undefined. */
export async function findMessageLink(
  db: Database,
  portalNid: number,
  remoteId: string,
): Promise<MessageLinkRecord | undefined> {
  const sql =
    'SELECT * FROM message_link WHERE portal_nid = ? AND remote_id = ? ORDER BY created_ts DESC LIMIT 1'
  const rows = await db.query<LinkRow>(sql, [portalNid, remoteId])
  return rows[0] === undefined ? undefined : fromRow(rows[0])
}

/** Which of these events have crossed already, in either direction: `<portal nid> <event id>` each. */
export async function findCrossed(db: Database, eventIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.query<{ event_id: string; portal_nid: number }>(
    'SELECT event_id, portal_nid FROM message_link WHERE event_id IN (?text[]) ' +
      'UNION SELECT event_id, portal_nid FROM bridge_outbox WHERE event_id IN (?text[])',
    [eventIds, eventIds],
  )
  return new Set(rows.map((row) => `${row.portal_nid} ${row.event_id}`))
}

export function deleteMessageLinksBefore(ts: number): Step {
  return { sql: 'DELETE FROM message_link WHERE created_ts < ?', params: [ts] }
}
