import type { Database, ReadParam, Row } from '../db/database.ts'
import { containing } from './like.ts'
import { readPage, type Page, type PageOf } from './page.ts'

// Accounts as an operator looks for them.

const ORDERS = {
  name: 'u.user_id',
  displayname: "lower(coalesce(n.value, ''))",
  avatar_url: "coalesce(a.value, '')",
  is_guest: 'u.is_guest',
  admin: 'u.is_admin',
  deactivated: 'CASE WHEN u.deactivated_ts > 0 THEN 1 ELSE 0 END',
  locked: 'u.is_locked',
  shadow_banned: 'u.is_shadow_banned',
  creation_ts: 'u.created_ts',
  last_seen_ts: '(SELECT coalesce(max(d.last_seen_ts), 0) FROM devices d WHERE d.user_id = u.user_id)',
} as const

export type AccountOrder = keyof typeof ORDERS
export const ACCOUNT_ORDERS = Object.keys(ORDERS) as AccountOrder[]

/** Which accounts, and in which order. A filter that is absent lets all through. */
export interface AccountQuery extends PageOf {
  /** Part of the user id, in any case of letters. */
  readonly userId?: string | undefined
  /** Part of the local part or of the display name; wins over `userId`. */
  readonly name?: string | undefined
  readonly serverName: string
  readonly guests?: boolean | undefined
  readonly admins?: boolean | undefined
  readonly deactivated?: boolean | undefined
  readonly locked?: boolean | undefined
  readonly orderBy: AccountOrder
  readonly backwards: boolean
}

export interface AccountRow extends Row {
  user_id: string
  is_admin: number
  is_guest: number
  is_locked: number
  is_shadow_banned: number
  is_erased: number
  created_ts: number
  deactivated_ts: number
  /** JSON, or null where they have none. */
  displayname: string | null
  avatar_url: string | null
  /** Milliseconds; null: no device of theirs was ever used. */
  last_seen_ts: number | null
}

const TABLES = `users u
  LEFT JOIN profiles n ON n.user_id = u.user_id AND n.field = 'displayname'
  LEFT JOIN profiles a ON a.user_id = u.user_id AND a.field = 'avatar_url'`

function conditionOf(query: AccountQuery): { where: string; params: ReadParam[] } {
  const parts: string[] = []
  const params: ReadParam[] = []
  const flag = (wanted: boolean | undefined, yes: string, no: string): void => {
    if (wanted !== undefined) parts.push(wanted ? yes : no)
  }
  if (query.name !== undefined) {
    parts.push(`(lower(u.user_id) LIKE lower(?) ESCAPE '!' OR lower(n.value) LIKE lower(?) ESCAPE '!')`)
    const local = `@${containing(query.name)}:${query.serverName}`
    params.push(local, containing(JSON.stringify(query.name).slice(1, -1)))
  } else if (query.userId !== undefined) {
    parts.push(`lower(u.user_id) LIKE lower(?) ESCAPE '!'`)
    params.push(containing(query.userId))
  }
  flag(query.guests, 'u.is_guest = 1', 'u.is_guest = 0')
  flag(query.admins, 'u.is_admin = 1', 'u.is_admin = 0')
  flag(query.deactivated, 'u.deactivated_ts > 0', 'u.deactivated_ts = 0')
  flag(query.locked, 'u.is_locked = 1', 'u.is_locked = 0')
  return { where: parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`, params }
}

/** One page of accounts. */
export function listAccounts(db: Database, query: AccountQuery): Promise<Page<AccountRow>> {
  const { where, params } = conditionOf(query)
  return readPage<AccountRow>(
    db,
    {
      columns: `u.user_id, u.is_admin, u.is_guest, u.is_locked, u.is_shadow_banned, u.is_erased, u.created_ts, u.deactivated_ts,
         n.value AS displayname, a.value AS avatar_url,
         (SELECT max(d.last_seen_ts) FROM devices d WHERE d.user_id = u.user_id AND d.last_seen_ts > 0) AS last_seen_ts`,
      tables: `${TABLES} ${where}`,
      order: `${ORDERS[query.orderBy]} ${query.backwards ? 'DESC' : 'ASC'}, u.user_id`,
      params,
    },
    query,
  )
}
