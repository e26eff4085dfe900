import type { Database, ReadParam, Row } from '../db/database.ts'
import { containing } from './like.ts'
import { readPage, type Page, type PageOf } from './page.ts'

// Rooms as an operator looks for them.

/** How many are in a room. The largest come first, as in Synapse. */
const JOINED = "-(SELECT count(*) FROM memberships m WHERE m.room_nid = r.nid AND m.membership = 'join')"

/** By what the room says of itself, or by what is counted of each in an index. */
const ORDERS = {
  name: "coalesce(d.folded_name, '')",
  alphabetical: "coalesce(d.folded_name, '')",
  canonical_alias: "coalesce(d.folded_alias, '')",
  creator: "coalesce(d.creator, '')",
  encryption: "coalesce(d.encryption, '')",
  federatable: 'coalesce(d.federatable, 1)',
  join_rules: "coalesce(d.join_rules, '')",
  guest_access: "coalesce(d.guest_access, '')",
  history_visibility: "coalesce(d.history_visibility, '')",
  version: 'r.room_version',
  public: 'CASE WHEN p.room_nid IS NULL THEN 0 ELSE 1 END',
  size: JOINED,
  joined_members: JOINED,
  joined_local_members: JOINED.replace(/\)$/, ' AND m.is_local = 1)'),
  state_events: '-(SELECT count(*) FROM state_keys k WHERE k.room_nid = r.nid)',
} as const

export type RoomOrder = keyof typeof ORDERS
export const ROOM_ORDERS = Object.keys(ORDERS) as RoomOrder[]

/** Which rooms, and in which order. What is absent lets all through. */
export interface RoomQuery extends PageOf {
  readonly published?: boolean | undefined
  /** Whether nobody is in it. */
  readonly empty?: boolean | undefined
  /** Part of the name or of the address, in any case of letters, or the whole id. */
  readonly term?: string | undefined
  readonly orderBy: RoomOrder
  readonly backwards: boolean
}

export interface ListedRoomRow extends Row {
  nid: number
  room_id: string
  room_version: string
  published: number
  /** This and the following as in `room_descriptions`; null: nothing is known of the room but that there is one. */
  name: string | null
  canonical_alias: string | null
  creator: string | null
  encryption: string | null
  federatable: number | null
  join_rules: string | null
  guest_access: string | null
  history_visibility: string | null
  room_type: string | null
}

function conditionsOf({ published, empty, term }: RoomQuery): { where: string; params: ReadParam[] } {
  const conditions = ["substr(r.room_id, 1, 1) = '!'"]
  const params: ReadParam[] = []
  if (published !== undefined) conditions.push(`p.room_nid IS ${published ? 'NOT NULL' : 'NULL'}`)
  if (empty !== undefined)
    conditions.push(
      `${empty ? 'NOT ' : ''}EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = r.nid AND m.membership = 'join')`,
    )
  if (term !== undefined) {
    const pattern = containing(term.toLowerCase())
    conditions.push("(r.room_id = ? OR d.folded_name LIKE ? ESCAPE '!' OR d.folded_alias LIKE ? ESCAPE '!')")
    params.push(term, pattern, pattern)
  }
  return { where: conditions.join(' AND '), params }
}

/** One page of the rooms; none that are being purged. Reads through the rooms, and through an index where the order goes by a number. */
export function listRooms(db: Database, query: RoomQuery): Promise<Page<ListedRoomRow>> {
  const { where, params } = conditionsOf(query)
  const direction = query.backwards ? 'DESC' : 'ASC'
  return readPage<ListedRoomRow>(
    db,
    {
      columns: `r.nid, r.room_id, r.room_version, CASE WHEN p.room_nid IS NULL THEN 0 ELSE 1 END AS published,
         d.name, d.canonical_alias, d.creator, d.encryption, d.federatable, d.join_rules, d.guest_access,
         d.history_visibility, d.room_type`,
      tables: `rooms r LEFT JOIN room_descriptions d ON d.room_nid = r.nid
         LEFT JOIN published_rooms p ON p.room_nid = r.nid WHERE ${where}`,
      order: `${ORDERS[query.orderBy]} ${direction}, r.room_id ${direction}`,
      params,
    },
    query,
  )
}

/** How many are in a room, and how many of them are of this server. */
export interface MemberCounts {
  readonly joined: number
  readonly joinedLocal: number
}

/** The same of several rooms, by number; rooms that nobody is in are left out. */
export async function countMembersOf(
  db: Database,
  roomNids: readonly number[],
): Promise<ReadonlyMap<number, MemberCounts>> {
  const rows = await db.queryLarge<{ room_nid: number; joined: number; joined_local: number }>(
    `SELECT room_nid, count(*) AS joined, CAST(sum(is_local) AS BIGINT) AS joined_local FROM memberships
     WHERE room_nid IN (?int[]) AND membership = 'join' GROUP BY room_nid`,
    [roomNids],
  )
  return new Map(
    rows.map((row) => [row.room_nid, { joined: Number(row.joined), joinedLocal: Number(row.joined_local) }]),
  )
}

/** How many pieces of state rooms have: each name that was ever set, none of which goes again. By number. */
export async function countStateKeys(
  db: Database,
  roomNids: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const rows = await db.queryLarge<{ room_nid: number; n: number }>(
    'SELECT room_nid, count(*) AS n FROM state_keys WHERE room_nid IN (?int[]) GROUP BY room_nid',
    [roomNids],
  )
  return new Map(rows.map((row) => [row.room_nid, Number(row.n)]))
}

/** What a room's own figures do not show: devices of ours in it, and whether one of ours remembers it. */
export async function readLocalTraces(
  db: Database,
  roomNid: number,
): Promise<{ readonly devices: number; readonly isForgotten: boolean }> {
  const [devices, remembered] = await Promise.all([
    db.queryLarge<{ n: number }>(
      `SELECT count(*) AS n FROM memberships m JOIN devices d ON d.user_id = m.user_id
       WHERE m.room_nid = ? AND m.membership = 'join' AND m.is_local = 1`,
      [roomNid],
    ),
    db.query(
      'SELECT 1 AS one FROM memberships WHERE room_nid = ? AND is_local = 1 AND forgotten = 0 LIMIT 1',
      [roomNid],
    ),
  ])
  return { devices: Number(devices[0]?.n ?? 0), isForgotten: remembered.length === 0 }
}
