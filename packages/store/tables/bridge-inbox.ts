import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_INBOX: TableShape = {
  name: 'bridge_inbox',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'portal_nid', type: 'int' },
    { name: 'dedupe_key', type: 'text' },
    { name: 'payload', type: 'text' },
    { name: 'state', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
  onConflict: { key: ['portal_nid', 'dedupe_key'], action: 'ignore' },
}

const BRIDGE_TRANSACTION: TableShape = {
  name: 'bridge_transaction',
  columns: [
    { name: 'txn_id', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
}

/** Something that came from a network and is not in the room yet. */
export interface InboxRecord {
  readonly nid: number
  readonly portalNid: number
  readonly dedupeKey: string
  /** JSON. */
  readonly payload: string
  readonly createdTs: number
}

/** Without effect where the key came before. */
export function insertInbox(record: InboxRecord): Step {
  const { nid, portalNid, dedupeKey, payload, createdTs } = record
  return { into: BRIDGE_INBOX, values: [nid, portalNid, dedupeKey, payload, 'ready', createdTs] }
}

/** The oldest things of a portal that are not in the room yet. */
export async function listInbox(db: Database, portalNid: number, limit: number): Promise<InboxRecord[]> {
  const rows = await db.query<{ nid: number; dedupe_key: string; payload: string; created_ts: number }>(
    "SELECT nid, dedupe_key, payload, created_ts FROM bridge_inbox WHERE state = 'ready' AND portal_nid = ? " +
      'ORDER BY nid LIMIT ?',
    [portalNid, limit],
  )
  return rows.map((row) => ({
    nid: row.nid,
    portalNid,
    dedupeKey: row.dedupe_key,
    payload: row.payload,
    createdTs: row.created_ts,
  }))
}

/** Portals from which something waits. */
export async function listWaitingPortals(db: Database): Promise<number[]> {
  const rows = await db.queryLarge<{ portal_nid: number }>(
    "SELECT DISTINCT portal_nid FROM bridge_inbox WHERE state = 'ready'",
    [],
  )
  return rows.map((row) => row.portal_nid)
}

/** It is over; the key stays, what was said goes. */
export function endInbox(nid: number, state: 'done' | 'refused'): Step {
  return { sql: "UPDATE bridge_inbox SET state = ?, payload = '' WHERE nid = ?", params: [state, nid] }
}

/** Drops what waits from a portal. */
export function deleteInbox(portalNid: number): Step {
  return { sql: 'DELETE FROM bridge_inbox WHERE portal_nid = ?', params: [portalNid] }
}

export function deleteInboxBefore(ts: number): Step {
  return { sql: "DELETE FROM bridge_inbox WHERE state <> 'ready' AND created_ts < ?", params: [ts] }
}

/** Whether a transaction of the homeserver was done. */
export async function hasTransaction(db: Database, txnId: string): Promise<boolean> {
  const rows = await db.query('SELECT txn_id FROM bridge_transaction WHERE txn_id = ?', [txnId])
  return rows.length > 0
}

/** Refused (`conflict`) when it was done already. */
export function insertTransaction(txnId: string, ts: number): Step {
  return { into: BRIDGE_TRANSACTION, values: [txnId, ts] }
}

export function deleteTransactionsBefore(ts: number): Step {
  return { sql: 'DELETE FROM bridge_transaction WHERE created_ts < ?', params: [ts] }
}
