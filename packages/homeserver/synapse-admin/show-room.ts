// https://element-hq.github.io/synapse/latest/admin_api/rooms.html
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isPublished } from '@causeway/store/tables/directory.ts'
import { listMembers } from '@causeway/store/tables/overview.ts'
import { countStateKeys, readLocalTraces } from '@causeway/store/tables/room-list.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { answerContext, ContextQuery } from '../client/get-event.ts'
import { answerMessages, MessagesQuery } from '../client/get-messages.ts'
import { wholeAccess } from '../client/room-access.ts'
import { eventIdText, roomIdText } from '../client/schemas.ts'
import type { Homeserver } from '../homeserver.ts'
import { RawJson } from '../http/endpoint.ts'
import { describeRoom } from '../room-list/describe-room.ts'
import { listStateAt } from '../rooms/current-state.ts'
import { readStoredExtremities } from '../rooms/head.ts'
import { findEvent, findEvents, isShown } from '../rooms/read-events.ts'
import { renderPlain } from '../rooms/render-event.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { showAll } from '../rooms/visibility.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireRoom, requireRoomOrAlias, RoomOrAliasParams, RoomParams } from './known-room.ts'
import { viewRoom, type RoomFigures } from './view-room.ts'

async function figuresOf(
  { db, rooms }: Homeserver,
  { roomId, roomNid, rules }: RoomInfo,
): Promise<RoomFigures> {
  const [{ joined }, local, isPublic, states] = await Promise.all([
    rooms.members.counts(roomNid),
    rooms.members.localMembers(roomNid),
    isPublished(db, roomNid),
    countStateKeys(db, [roomNid]),
  ])
  const stateEvents = states.get(roomNid) ?? 0
  return { roomId, version: rules.version, isPublic, joined, joinedLocal: local.size, stateEvents }
}

export const synapseGetRoom = defineAdminRequest({
  operation: 'synapseGetRoom',
  method: 'GET',
  path: '/v1/rooms/:roomId',
  params: RoomParams,
  run: async (hs, { params }) => {
    const room = await requireRoom(hs, params.roomId)
    const [figures, description, traces] = await Promise.all([
      figuresOf(hs, room),
      describeRoom(hs.rooms, room, true),
      readLocalTraces(hs.db, room.roomNid),
    ])
    return {
      ...viewRoom(figures, description),
      joined_local_devices: traces.devices,
      forgotten: traces.isForgotten,
      tombstoned: description.isReplaced,
    }
  },
})

/** Members that are read at once. */
const PORTION = 10_000

export const synapseRoomMembers = defineAdminRequest({
  operation: 'synapseRoomMembers',
  method: 'GET',
  path: '/v1/rooms/:roomId/members',
  params: RoomParams,
  run: async (hs, { params }) => {
    const { roomNid } = await requireRoom(hs, params.roomId)
    const members: string[] = []
    for (;;) {
      const some = await listMembers(hs.db, roomNid, 'join', members.at(-1) ?? '', PORTION)
      members.push(...some.map((row) => row.user_id))
      if (some.length < PORTION) return { members, total: members.length }
    }
  },
})

export const synapseRoomState = defineAdminRequest({
  operation: 'synapseRoomState',
  method: 'GET',
  path: '/v1/rooms/:roomId/state',
  params: RoomParams,
  query: Type.Object({ type: Type.Optional(Type.String({ maxLength: 255 })) }),
  run: async (hs, { params, query }) => {
    const room = await requireRoom(hs, params.roomId)
    const root = await wholeAccess(hs.rooms, room).stateRoot()
    const entries = await listStateAt(hs.rooms, room, root)
    const wanted = entries.filter(({ stored }) => query.type === undefined || stored.type === query.type)
    return new RawJson(`{"state":[${wanted.map(({ stored }) => renderPlain(hs.rooms, stored)).join(',')}]}`)
  },
})

export const synapseRoomMessages = defineAdminRequest({
  operation: 'synapseRoomMessages',
  method: 'GET',
  path: '/v1/rooms/:roomId/messages',
  params: RoomParams,
  query: MessagesQuery,
  run: async (hs, { session, params, query }) => {
    const room = await requireRoom(hs, params.roomId)
    // Forwards, where nothing is said.
    return answerMessages(hs, session, wholeAccess(hs.rooms, room), { ...query, dir: query.dir ?? 'f' })
  },
})

export const synapseRoomContext = defineAdminRequest({
  operation: 'synapseRoomContext',
  method: 'GET',
  path: '/v1/rooms/:roomId/context/:eventId',
  params: Type.Object({ roomId: roomIdText, eventId: eventIdText }),
  query: ContextQuery,
  run: async (hs, { session, params, query }) => {
    const room = await requireRoom(hs, params.roomId)
    const event = await findEvent(hs.rooms, params.eventId)
    if (event === undefined || event.roomNid !== room.roomNid || !isShown(event))
      throw notFound('Event not found.')
    const [visible] = await showAll(hs.rooms, room, [event])
    if (visible === undefined) throw notFound('Event not found.')
    return answerContext(hs, session, { access: wholeAccess(hs.rooms, room), visible }, query)
  },
})

/** The events that the next one follows. They are merged by themselves: there is nothing to be deleted. */
export const synapseForwardExtremities = defineAdminRequest({
  operation: 'synapseForwardExtremities',
  method: 'GET',
  path: '/v1/rooms/:roomIdOrAlias/forward_extremities',
  params: RoomOrAliasParams,
  run: async (hs, { params }) => {
    const { roomId } = await requireRoomOrAlias(hs, params.roomIdOrAlias)
    const row = await findRoomRow(hs.db, roomId)
    const ids = row === undefined ? [] : readStoredExtremities(row).eventIds
    const events = await findEvents(hs.rooms, ids)
    const results = ids.flatMap((id) => {
      const event = events.get(id)
      if (event === undefined) return []
      const { eventId, depth, stateRoot, originServerTs } = event
      return [{ event_id: eventId, state_group: stateRoot, depth, received_ts: originServerTs }]
    })
    return { count: results.length, results }
  },
})
