import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const TRANSACTIONS: TableShape = {
  name: 'outbound_transactions',
  columns: [
    { name: 'server_name', type: 'text' },
    { name: 'txn_id', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'pdus', type: 'text' },
    { name: 'edus', type: 'text' },
    { name: 'to_device_upto', type: 'int' },
  ],
}

/** A transaction whose content is fixed. */
export interface OutboundTransactionRow extends Row {
  txn_id: string
  /** Wall clock, milliseconds: its `origin_server_ts`. */
  created_ts: number
  /** Numbers of events, JSON array, in the order in which they are sent. */
  pdus: string
  /** JSON array. */
  edus: string
  /** The messages to devices up to here are in it. */
  to_device_upto: number
}

/** The transaction of a server that is not answered yet, or undefined. */
export async function findOutboundTransaction(
  db: Database,
  serverName: string,
): Promise<OutboundTransactionRow | undefined> {
  const rows = await db.query<OutboundTransactionRow>(
    `SELECT txn_id, created_ts, pdus, edus, to_device_upto FROM outbound_transactions WHERE server_name = ?`,
    [serverName],
  )
  return rows[0]
}

/** Fixes a transaction; refused when the server has one. */
export function openOutboundTransaction(serverName: string, row: OutboundTransactionRow): Step {
  const { txn_id: txnId, created_ts: createdTs, pdus, edus, to_device_upto: upTo } = row
  return { into: TRANSACTIONS, values: [serverName, txnId, createdTs, pdus, edus, upTo] }
}

/** The transaction was answered: it goes, and with it the messages to devices that were in it. */
export function closeOutboundTransaction(serverName: string, row: OutboundTransactionRow): Statement[] {
  const close: Statement = {
    sql: 'DELETE FROM outbound_transactions WHERE server_name = ? AND txn_id = ?',
    params: [serverName, row.txn_id],
    expectRows: 1,
  }
  if (row.to_device_upto === 0) return [close]
  return [
    close,
    {
      sql: 'DELETE FROM outbound_to_device WHERE server_name = ? AND seq <= ?',
      params: [serverName, row.to_device_upto],
    },
  ]
}

export interface OutboundToDeviceRow extends Row {
  seq: number
  edu: string
}

/** Adds a message to the end of a server's queue. @param edu as canonical JSON */
export function insertOutboundToDevice(serverName: string, edu: string): Statement {
  return {
    sql: `INSERT INTO outbound_to_device (server_name, seq, edu) VALUES (?, COALESCE(
       (SELECT max(d.seq) FROM outbound_to_device d WHERE d.server_name = ?), 0) + 1, ?)`,
    params: [serverName, serverName, edu],
  }
}

/** Messages to devices of a server, oldest first. */
export function listOutboundToDevice(
  db: Database,
  serverName: string,
  limit: number,
): Promise<OutboundToDeviceRow[]> {
  return db.query<OutboundToDeviceRow>(
    'SELECT seq, edu FROM outbound_to_device WHERE server_name = ? ORDER BY seq LIMIT ?',
    [serverName, limit],
  )
}

/** A server with messages to its devices that are in no transaction yet. */
export interface WaitingMessages {
  readonly serverName: string
  /** Messages up to here are in the transaction under way. */
  readonly upTo: number
  readonly count: number
}

/** Servers whose transaction under way was made before a time, or for whose devices more than `limit` messages wait. */
export async function listOverfullServers(
  db: Database,
  before: number,
  limit: number,
): Promise<(WaitingMessages & { readonly isAway: boolean })[]> {
  const rows = await db.queryLarge<{ server_name: string; upto: number; n: number; away: number }>(
    `SELECT d.server_name, COALESCE(t.to_device_upto, 0) AS upto, count(*) AS n,
       CASE WHEN t.created_ts < ? THEN 1 ELSE 0 END AS away
     FROM outbound_to_device d LEFT JOIN outbound_transactions t ON t.server_name = d.server_name
     WHERE d.seq > COALESCE(t.to_device_upto, 0)
     GROUP BY d.server_name, t.to_device_upto, t.created_ts
     HAVING t.created_ts < ? OR count(*) > ?`,
    [before, before, limit],
  )
  return rows.map((row) => ({
    serverName: row.server_name,
    upTo: Number(row.upto),
    count: Number(row.n),
    isAway: Number(row.away) === 1,
  }))
}

/** Forgets the oldest messages to a server's devices but those of the transaction under way. */
export function forgetOutboundToDevice({ serverName, upTo, count }: WaitingMessages): Statement {
  return {
    sql: `DELETE FROM outbound_to_device WHERE server_name = ? AND seq IN (
       SELECT seq FROM outbound_to_device WHERE server_name = ? AND seq > ? ORDER BY seq LIMIT ?)`,
    params: [serverName, serverName, upTo, count],
  }
}
