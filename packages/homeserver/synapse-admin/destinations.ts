// https://element-hq.github.io/synapse/latest/usage/administration/admin_api/federation.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import {
  DESTINATION_ORDERS,
  findDestination,
  listDestinations,
  listRoomsOfDestination,
  type DestinationRow,
} from '@causeway/store/tables/destination-list.ts'
import type { Homeserver } from '../homeserver.ts'
import { parsedText } from '../http/schemas.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, nextFrom, oneOf, pageQuery, readPageWanted } from './pages.ts'

const path = '/v1/federation/destinations'
const Params = Type.Object({
  serverName: parsedText<ServerName>('a server name such as example.org', parseServerName),
})
/** By which servers are not told apart here. */
const NOT_TOLD = 'last_successful_stream_ordering'

function viewDestination(row: DestinationRow): JsonObject {
  const { server_name: destination, failing_since_ts: failing, retry_ts: retry, interval_ms: interval } = row
  return {
    destination,
    // The wait is drawn around the interval: this is the last attempt but for a part of it.
    retry_last_ts: Math.max(failing ?? 0, (retry ?? 0) - (interval ?? 0)),
    retry_interval: interval ?? 0,
    failure_ts: failing,
    [NOT_TOLD]: null,
  }
}

async function requireDestination({ db }: Homeserver, name: string): Promise<DestinationRow> {
  const row = await findDestination(db, name)
  if (row === undefined) throw notFound('Unknown destination')
  return row
}

export const synapseListDestinations = defineAdminRequest({
  operation: 'synapseListDestinations',
  method: 'GET',
  path,
  query: Type.Object({
    ...pageQuery,
    destination: Type.Optional(Type.String({ maxLength: 255 })),
    order_by: Type.Optional(oneOf([...DESTINATION_ORDERS, NOT_TOLD] as const)),
    dir: dirQuery,
  }),
  run: async (hs, { query: { order_by: order = 'destination', destination: name, dir, ...query } }) => {
    const page = readPageWanted(query)
    const orderBy = order === NOT_TOLD ? 'destination' : order
    const backwards = dir === 'b' && order !== NOT_TOLD
    const { rows, total } = await listDestinations(hs.db, { ...page, name, orderBy, backwards })
    const next = nextFrom(page, rows.length, total)
    const more = next === undefined ? {} : { next_token: String(next) }
    return { destinations: rows.map(viewDestination), ...more, total }
  },
})

export const synapseGetDestination = defineAdminRequest({
  operation: 'synapseGetDestination',
  method: 'GET',
  path: `${path}/:serverName`,
  params: Params,
  run: async (hs, { params }) => viewDestination(await requireDestination(hs, params.serverName)),
})

export const synapseDestinationRooms = defineAdminRequest({
  operation: 'synapseDestinationRooms',
  method: 'GET',
  path: `${path}/:serverName/rooms`,
  params: Params,
  query: Type.Object({ ...pageQuery, dir: dirQuery }),
  run: async (hs, { params: { serverName }, query }) => {
    await requireDestination(hs, serverName)
    const page = readPageWanted(query)
    const wanted = { ...page, backwards: query.dir === 'b' }
    const { rows, total } = await listRoomsOfDestination(hs.db, serverName, wanted)
    const next = nextFrom(page, rows.length, total)
    const rooms = rows.map((row) => ({ room_id: row.room_id, stream_ordering: row.sent_nid }))
    return { rooms, ...(next === undefined ? {} : { next_token: String(next) }), total }
  },
})

export const synapseResetDestination = defineAdminRequest({
  operation: 'synapseResetDestination',
  method: 'POST',
  path: `${path}/:serverName/reset_connection`,
  params: Params,
  run: async (hs, { params: { serverName } }) => {
    await requireDestination(hs, serverName)
    if ((await hs.federation.destinations.find(serverName)) === undefined)
      throw invalidParam('The retry timing does not need to be reset for this destination')
    hs.federation.client.heardFrom(serverName)
    hs.federation.discovery.forget(serverName)
    return {}
  },
})
