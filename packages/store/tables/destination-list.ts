import type { Database, Row } from '../db/database.ts'
import { containing } from './like.ts'
import { readPage, type Page, type PageOf } from './page.ts'

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

export interface DestinationQuery extends PageOf {
  /** Part of the name. */
  readonly name?: string | undefined
  readonly orderBy: DestinationOrder
  readonly backwards: boolean
}

const KNOWN = `(SELECT server_name FROM room_servers UNION SELECT server_name FROM destinations) s
  LEFT JOIN destinations d ON d.server_name = s.server_name`

const COLUMNS = 's.server_name, d.failing_since_ts, d.retry_ts, d.interval_ms'

/** One page of them. Reads through the servers of all rooms. */
export function listDestinations(
  db: Database,
  { name, orderBy, backwards, ...page }: DestinationQuery,
): Promise<Page<DestinationRow>> {
  const where = name === undefined ? '' : "WHERE lower(s.server_name) LIKE lower(?) ESCAPE '!'"
  return readPage<DestinationRow>(
    db,
    {
      columns: COLUMNS,
      tables: `${KNOWN} ${where}`,
      order: `${ORDERS[orderBy]} ${backwards ? 'DESC' : 'ASC'}, s.server_name`,
      params: name === undefined ? [] : [containing(name)],
    },
    page,
  )
}

export async function findDestination(db: Database, serverName: string): Promise<DestinationRow | undefined> {
  const rows = await db.queryLarge<DestinationRow>(
    `SELECT ${COLUMNS} FROM ${KNOWN} WHERE s.server_name = ?`,
    [serverName],
  )
  return rows[0]
}

/** Rooms that a server is in, and the number of the last event up to which it has all that it shall have. */
export function listRoomsOfDestination(
  db: Database,
  serverName: string,
  { backwards, ...page }: PageOf & { readonly backwards: boolean },
): Promise<Page<Row & { room_id: string; sent_nid: number }>> {
  return readPage(
    db,
    {
      columns: `r.room_id, coalesce(
         (SELECT o.from_nid - 1 FROM outbound_rooms o WHERE o.server_name = s.server_name AND o.room_nid = r.nid),
         (SELECT max(e.nid) FROM events e WHERE e.room_nid = r.nid), 0) AS sent_nid`,
      tables: `room_servers s JOIN rooms r ON r.nid = s.room_nid AND substr(r.room_id, 1, 1) = '!'
        WHERE s.server_name = ? AND s.joined > 0`,
      order: `r.room_id ${backwards ? 'DESC' : 'ASC'}`,
      params: [serverName],
    },
    page,
  )
}
