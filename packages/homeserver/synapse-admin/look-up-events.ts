// https://element-hq.github.io/synapse/latest/admin_api/fetch_event.html and rooms.html
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { wholeAccess } from '../client/room-access.ts'
import { eventIdText } from '../client/schemas.ts'
import { answerHierarchy, HierarchyQuery } from '../client/space-hierarchy.ts'
import { answerTimestamp } from '../client/timestamp-to-event.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireRoom, RoomParams } from './known-room.ts'

/** An event as servers have it, in whatever room it is; also one that was refused. */
export const synapseFetchEvent = defineAdminRequest({
  operation: 'synapseFetchEvent',
  method: 'GET',
  path: '/v1/fetch_event/:eventId',
  params: Type.Object({ eventId: eventIdText }),
  run: async (hs, { params: { eventId } }) => {
    const [row] = await findEventRows(hs.db, [eventId])
    if (row === undefined) throw notFound('Event not found')
    return { event: { ...parseJsonObject(row.json), event_id: eventId } }
  },
})

export const synapseTimestampToEvent = defineAdminRequest({
  operation: 'synapseTimestampToEvent',
  method: 'GET',
  path: '/v1/rooms/:roomId/timestamp_to_event',
  params: RoomParams,
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
  }),
  run: async (hs, { session, params, query }) => {
    const room = await requireRoom(hs, params.roomId)
    const wanted = { ts: query.ts, direction: query.dir ?? 'f' }
    return answerTimestamp(hs, session, wholeAccess(hs.rooms, room), wanted)
  },
})

/** A space with all that is in it, as far as people of this server are there: no other server is asked. */
export const synapseRoomHierarchy = defineAdminRequest({
  operation: 'synapseRoomHierarchy',
  method: 'GET',
  path: '/v1/rooms/:roomId/hierarchy',
  params: RoomParams,
  query: HierarchyQuery,
  run: (hs, { params, query }) => answerHierarchy(hs, undefined, params.roomId, query),
})
