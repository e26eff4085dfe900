import { Type } from 'typebox'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { eventIdText, roomIdText } from '../../client/schemas.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import type { Homeserver } from '../../homeserver.ts'
import { listStateAt, readStateEntries } from '../../rooms/current-state.ts'
import { readAuthChain } from '../../rooms/join/auth-chain.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { findEvent } from '../../rooms/read-events.ts'

// Test support: the operations by which a server that joined fast gets the rest, in their simplest form.

async function read(hs: Homeserver, roomId: RoomId, eventId: EventId) {
  const room = (await findRoom(hs.rooms, roomId))!
  const event = (await findEvent(hs.rooms, eventId))!
  const state = await listStateAt(hs.rooms, room, event.stateBefore)
  const chain = await readAuthChain(
    hs.rooms,
    room,
    state.map(({ stored }) => stored.stateNid),
  )
  const auth = [...(await readStateEntries(hs.rooms, room, [...chain])).values()]
  return { state, auth }
}
async function pdusOf(hs: Homeserver, events: readonly StoredEvent[]) {
  const rows = await findEventRows(
    hs.db,
    events.map(({ eventId }) => eventId),
  )
  return rows.map(({ json }) => parseJsonObject(json))
}
const common = {
  method: 'GET',
  auth: 'server',
  params: Type.Object({ roomId: roomIdText }),
  query: Type.Object({ event_id: eventIdText }),
} as const
export const testStateEndpoints = [
  defineEndpoint({
    operation: 'stateIds',
    ...common,
    path: '/_matrix/federation/v1/state_ids/:roomId',
    run: async (hs, { params, query }) => {
      const { state, auth } = await read(hs, params.roomId, query.event_id)
      const ids = (list: typeof state) => list.map(({ stored }) => stored.eventId as string)
      return { pdu_ids: ids(state), auth_chain_ids: ids(auth) }
    },
  }),
  defineEndpoint({
    operation: 'state',
    ...common,
    path: '/_matrix/federation/v1/state/:roomId',
    run: async (hs, { params, query }) => {
      const { state, auth } = await read(hs, params.roomId, query.event_id)
      const pdus = (list: typeof state) =>
        pdusOf(
          hs,
          list.map(({ stored }) => stored),
        )
      return { pdus: await pdus(state), auth_chain: await pdus(auth) }
    },
  }),
  defineEndpoint({
    operation: 'event',
    method: 'GET',
    auth: 'server',
    path: '/_matrix/federation/v1/event/:eventId',
    params: Type.Object({ eventId: eventIdText }),
    run: async (hs, { params }) => {
      const event = (await findEvent(hs.rooms, params.eventId))!
      return { pdus: await pdusOf(hs, [event]) }
    },
  }),
]
