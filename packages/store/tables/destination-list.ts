import type { Database, Row } from '../db/database.ts'
import { containing } from './like.ts'

// Other servers as an operator looks for them: those in our rooms, and those that fail.

const ORDERS = {
  destination: 's.server_name',
  retry_last_ts: 'coalesce(d.retry_ts - d.interval_ms, 0)',
  retry_interval: 'coalesce(d.interval_ms, 0)',
  failure_ts: 'coalesce(d.failing_since_ts, 0)',
} as const

export type DestinationOrder = keyof typeof ORDERS
export const DESTINATION_ORDERS = Object.keys(ORDERS) as DestinationOrder[]

export interface DestinationRow extends Row {
  server_name: string
  /** This and the next two are null of a server that answers. */
  failing_since_ts: number | null
  retry_ts: number | null
  interval_ms: number | null
}

export interface DestinationQuery {
  /** Part of the name. */
  readonly name?: string | undefined
  readonly orderBy: DestinationOrder
  readonly backwards: boolean
  readonly from: number
  readonly limit: number
}

const KNOWN = `(SELECT server_name FROM room_servers UNION SELECT server_name FROM destinations) s
  LEFT JOIN destinations d ON d.server_name = s.server_name`

/** One page of them, and how many there are in all. Reads through the servers of all rooms. */
export async function listDestinations(
  db: Database,
  { name, orderBy, backwards, from, limit }: DestinationQuery,
): Promise<{ readonly rows: DestinationRow[]; readonly total: number }> {
  const where = name === undefined ? '' : "WHERE lower(s.server_name) LIKE lower(?) ESCAPE '!'"
  const params = name === undefined ? [] : [containing(name)]
  const order = `${ORDERS[orderBy]} ${backwards ? 'DESC' : 'ASC'}, s.server_name`
  const [rows, counted] = await Promise.all([
    db.queryLarge<DestinationRow>(
      `SELECT s.server_name, d.failing_since_ts, d.retry_ts, d.interval_ms FROM ${KNOWN} ${where}
       ORDER BY ${order} LIMIT ? OFFSET ?`,
      [...params, limit, from],
    ),
    db.queryLarge<{ n: number }>(`SELECT count(*) AS n FROM ${KNOWN} ${where}`, params),
  ])
  return { rows, total: Number(counted[0]?.n ?? 0) }
}

export async function findDestination(db: Database, serverName: string): Promise<DestinationRow | undefined> {
  const rows = await db.queryLarge<DestinationRow>(
    `SELECT s.server_name, d.failing_since_ts, d.retry_ts, d.interval_ms FROM ${KNOWN} WHERE s.server_name = ?`,
    [serverName],
  )
  return rows[0]
}

/** Rooms that a server is in, and the number of the last event up to which it has all that it shall have. */
export async function listRoomsOfDestination(
  db: Database,
  serverName: string,
  { backwards, from, limit }: Pick<DestinationQuery, 'backwards' | 'from' | 'limit'>,
): Promise<{ readonly rows: (Row & { room_id: string; sent_nid: number })[]; readonly total: number }> {
  const tables = `room_servers s JOIN rooms r ON r.nid = s.room_nid AND substr(r.room_id, 1, 1) = '!'
    WHERE s.server_name = ? AND s.joined > 0`
  const [rows, counted] = await Promise.all([
    db.queryLarge<Row & { room_id: string; sent_nid: number }>(
      `SELECT r.room_id, coalesce(
         (SELECT o.from_nid - 1 FROM outbound_rooms o WHERE o.server_name = s.server_name AND o.room_nid = r.nid),
         (SELECT max(e.nid) FROM events e WHERE e.room_nid = r.nid), 0) AS sent_nid
       FROM ${tables} ORDER BY r.room_id ${backwards ? 'DESC' : 'ASC'} LIMIT ? OFFSET ?`,
      [serverName, limit, from],
    ),
    db.queryLarge<{ n: number }>(`SELECT count(*) AS n FROM ${tables}`, [serverName]),
  ])
  return { rows, total: Number(counted[0]?.n ?? 0) }
}
