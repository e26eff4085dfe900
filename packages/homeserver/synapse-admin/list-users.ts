// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#list-accounts
import { Type, type Static } from 'typebox'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import {
  ACCOUNT_ORDERS,
  listAccounts,
  type AccountOrder,
  type AccountQuery,
  type AccountRow,
} from '@causeway/store/tables/account-list.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, nextFrom, oneOf, pageQuery, readPageWanted } from './pages.ts'
import { NOT_HERE } from './user-view.ts'

/** Nobody differs in these, so that the second order, by name, is all there is. */
const SAME_FOR_ALL = ['user_type'] as const

const term = Type.Optional(Type.String({ maxLength: 255 }))
const flag = Type.Optional(Type.Boolean())

const Query = Type.Object({
  ...pageQuery,
  user_id: term,
  name: term,
  guests: flag,
  admins: flag,
  deactivated: flag,
  locked: flag,
  not_user_type: Type.Optional(Type.Array(Type.String())),
  order_by: Type.Optional(oneOf([...ACCOUNT_ORDERS, ...SAME_FOR_ALL])),
  dir: dirQuery,
})

const parsed = (json: string | null): JsonValue => (json === null ? null : parseJson(json))

function viewRow(row: AccountRow): JsonObject {
  return {
    name: row.user_id,
    displayname: parsed(row.displayname),
    avatar_url: parsed(row.avatar_url),
    is_guest: row.is_guest === 1,
    admin: row.is_admin === 1,
    deactivated: row.deactivated_ts > 0,
    erased: row.is_erased === 1,
    locked: row.is_locked === 1,
    shadow_banned: row.is_shadow_banned === 1,
    ...NOT_HERE,
    creation_ts: row.created_ts,
    last_seen_ts: row.last_seen_ts,
  }
}

type Filter = Pick<AccountQuery, 'deactivated'>

async function answer(hs: Homeserver, query: Static<typeof Query>, filter: Filter): Promise<JsonObject> {
  const page = readPageWanted(query)
  // Accounts have no types here: who leaves out those without one leaves out all.
  if (query.not_user_type?.includes('') === true) return { users: [], total: 0 }
  const { rows, total } = await listAccounts(hs.db, {
    ...page,
    ...filter,
    serverName: hs.serverName,
    userId: query.user_id,
    name: query.name,
    guests: query.guests === false ? false : undefined,
    admins: query.admins,
    locked: query.locked === true ? undefined : false,
    orderBy: orderOf(query.order_by),
    backwards: query.dir === 'b' && !isSameForAll(query.order_by),
  })
  const next = nextFrom(page, rows.length, total)
  return { users: rows.map(viewRow), ...(next === undefined ? {} : { next_token: String(next) }), total }
}

type Order = Static<typeof Query>['order_by']

function isSameForAll(order: Order): order is (typeof SAME_FOR_ALL)[number] {
  return (SAME_FOR_ALL as readonly (string | undefined)[]).includes(order)
}

function orderOf(order: Order): AccountOrder {
  return order === undefined || isSameForAll(order) ? 'name' : order
}

/** `deactivated` lets those in who are left out otherwise. */
export const synapseListUsersV2 = defineAdminRequest({
  operation: 'synapseListUsersV2',
  method: 'GET',
  path: '/v2/users',
  query: Query,
  run: (hs, { query }) => answer(hs, query, { deactivated: query.deactivated === true ? undefined : false }),
})

/** `deactivated` chooses between the two kinds; without it, both are listed. */
export const synapseListUsersV3 = defineAdminRequest({
  operation: 'synapseListUsersV3',
  method: 'GET',
  path: '/v3/users',
  query: Query,
  run: (hs, { query }) => answer(hs, query, { deactivated: query.deactivated }),
})
