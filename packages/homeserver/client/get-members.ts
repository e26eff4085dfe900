// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { listMemberKeys } from '@causeway/store/tables/state.ts'
import { isUserOf } from '../appservice/registry.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { readEntriesOfKeys } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { HISTORY_END, HISTORY_START, listHistory, type HistoryPlace } from '../rooms/history/read-history.ts'
import { findRoom } from '../rooms/load-head.ts'
import { listTimeline } from '../rooms/read-events.ts'
import { renderPlain } from '../rooms/render-event.ts'
import type { StateEntry } from '../rooms/state-entry.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { newestAt } from '../sync/timeline-order.ts'
import { parsePageToken } from '../sync/pagination-token.ts'
import { v3 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

async function membersAt(engine: RoomEngine, room: RoomInfo, root: number): Promise<StateEntry[]> {
  const keyNids = await listMemberKeys(engine.db, room.roomNid)
  return readEntriesOfKeys(engine, room, root, keyNids)
}

/** Of a room that was joined fast the members are told when they are all here. */
async function whenWhole(engine: RoomEngine, roomId: RoomId, signal: AbortSignal): Promise<void> {
  const room = await findRoom(engine, roomId)
  if (room !== undefined) await engine.partial.whenWhole(room.roomNid, signal)
}

/** The state at a place in the timeline; before the reader was there, as they found it when they came. */
async function rootAt(
  engine: RoomEngine,
  access: RoomAccess,
  userId: UserId,
  token: string,
): Promise<number> {
  const parsed = parsePageToken(token)
  if (parsed.order === 'graph') return rootAtPlace(engine, access, parsed.place)
  const place = parsed.before
  if (place > access.upTo) return access.stateRoot()
  const before = await newestAt(engine, access.room, place - 1)
  if (before !== undefined) return before.roomRoot
  const range = { after: place - 1, before: access.upTo + 1, backwards: false, limit: 20 }
  const first = await listTimeline(engine, access.room, range)
  const own = first.find((event) => event.type === 'm.room.member' && event.stateKey === userId)
  return own?.stateRoot ?? 0
}

/** The state after the last event before a place in the graph; at its beginning the state before the first one. */
async function rootAtPlace(
  engine: RoomEngine,
  { room, upTo }: RoomAccess,
  place: HistoryPlace,
): Promise<number> {
  const arrivedBefore = Math.min(place.arrivedBefore, upTo + 1)
  const range = { after: HISTORY_START, before: place, arrivedBefore, backwards: true, limit: 1 }
  const [before] = await listHistory(engine, room, range)
  if (before !== undefined) return before.stateRoot
  const rest = { ...range, after: HISTORY_START, before: HISTORY_END, backwards: false }
  return (await listHistory(engine, room, rest))[0]?.stateBefore ?? 0
}

export const getMembersByRoom = defineEndpoint({
  operation: 'getMembersByRoom',
  method: 'GET',
  ...v3('/rooms/:roomId/members'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: Type.Object({
    at: Type.Optional(Type.String()),
    membership: Type.Optional(Type.String()),
    not_membership: Type.Optional(Type.String()),
  }),
  run: async (hs, { session, params, query, signal }) => {
    await whenWhole(hs.rooms, params.roomId, signal)
    const access = await requireAccess(hs.rooms, session, params.roomId)
    const root =
      query.at === undefined
        ? await access.stateRoot()
        : await rootAt(hs.rooms, access, session.userId, query.at)
    const wanted = (await membersAt(hs.rooms, access.room, root)).filter(({ stored }) => {
      const { membership } = stored.content
      if (query.membership !== undefined && membership !== query.membership) return false
      return membership !== query.not_membership
    })
    return new RawJson(`{"chunk":[${wanted.map(({ stored }) => renderPlain(hs.rooms, stored)).join(',')}]}`)
  },
})

export const getJoinedMembersByRoom = defineEndpoint({
  operation: 'getJoinedMembersByRoom',
  method: 'GET',
  ...v3('/rooms/:roomId/joined_members'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { session, params, signal }) => {
    await whenWhole(hs.rooms, params.roomId, signal)
    const reader = await memberFor(hs, session, params.roomId)
    const { room, membership, stateRoot } = await requireAccess(hs.rooms, reader, params.roomId)
    if (membership !== 'join') throw forbidden('You are not in this room')
    const joined: JsonObject = {}
    for (const { stored } of await membersAt(hs.rooms, room, await stateRoot())) {
      if (stored.content['membership'] !== 'join') continue
      // Both keys are always there: clients take their absence for a fault. They take nothing but text, whatever
      // somebody has put into their own membership: else one member hides all from them.
      joined[stored.stateKey!] = {
        display_name: textOrNull(stored.content['displayname']),
        avatar_url: textOrNull(stored.content['avatar_url']),
      }
    }
    return { joined }
  },
})

/** Who reads: an application service is told of the rooms that any of its users is in, whomever it acts as. */
async function memberFor(
  { rooms, appservices }: Homeserver,
  session: Session,
  roomId: RoomId,
): Promise<Session> {
  const { registry } = appservices
  const service = session.appserviceId === undefined ? undefined : registry.byId.get(session.appserviceId)
  const room = service === undefined ? undefined : await findRoom(rooms, roomId)
  if (service === undefined || room === undefined) return session
  const local = await rooms.members.localMembers(room.roomNid)
  if (local.has(session.userId)) return session
  const userId = local.values().find((member) => isUserOf(registry, service, member))
  return userId === undefined ? session : { ...session, userId }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

export const getJoinedRooms = defineEndpoint({
  operation: 'getJoinedRooms',
  method: 'GET',
  ...v3('/joined_rooms'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => ({
    joined_rooms: [...(await hs.rooms.members.roomsOf(session.userId)).joined],
  }),
})
