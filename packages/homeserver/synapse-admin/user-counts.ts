// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html
import { Type } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findStateEventsOfSender } from '@causeway/store/tables/events-of-sender.ts'
import { listMembershipsOfUser, type MembershipRow } from '@causeway/store/tables/rooms.ts'
import type { Homeserver } from '../homeserver.ts'
import { readStateAt } from '../rooms/current-state.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import { defineAdminRequest } from './admin-request.ts'
import { UserParams } from './local-account.ts'

const SinceQuery = Type.Object({ from_ts: Type.Integer({ minimum: 0 }) })
/** Rooms that are looked at side by side. */
const AT_ONCE = 32
/** State events of a room that the database looks through at a time. */
const PORTION = 5_000
/** How far back somebody's memberships of one room are followed. */
const MAX_STEPS = 100

/** Invitations that somebody sent into one room since a time: the database looks through the room's state events. */
async function countInvites(
  { db }: Homeserver,
  userId: UserId,
  roomNid: number,
  since: number,
): Promise<number> {
  let count = 0
  for (let after = 0; ;) {
    const { rows, last } = await findStateEventsOfSender(db, roomNid, userId, after, PORTION)
    for (const row of rows) {
      const { type, sender, content, origin_server_ts: ts } = pduOfRow(row)
      const isInvite = type === 'm.room.member' && content['membership'] === 'invite'
      if (isInvite && sender === userId && ts >= since) count++
    }
    if (last === undefined) return count
    after = last
  }
}

/** Whether somebody joined a room, or had another name there, since a time: goes back through their memberships. */
async function hasJoinedSince(
  { rooms }: Homeserver,
  userId: UserId,
  { event_nid: nid, room_nid: roomNid }: MembershipRow,
  since: number,
): Promise<boolean> {
  const room = await getRoomByNid(rooms, roomNid)
  let event = (await findEventsByNid(rooms, [nid])).get(nid)
  for (let step = 0; step < MAX_STEPS && event !== undefined && event.originServerTs >= since; step++) {
    if (event.content['membership'] === 'join') return true
    event = (await readStateAt(rooms, room, event.stateBefore, 'm.room.member', userId))?.stored
  }
  return false
}

/** What is found in each of the rooms that somebody has or had anything to do with, summed up. */
async function sumOfRooms(
  { db }: Homeserver,
  userId: UserId,
  countIn: (membership: MembershipRow) => Promise<number>,
): Promise<number> {
  const rooms = await listMembershipsOfUser(db, userId)
  let sum = 0
  for (let at = 0; at < rooms.length; at += AT_ONCE) {
    const counts = await Promise.all(rooms.slice(at, at + AT_ONCE).map(countIn))
    sum += counts.reduce((all, one) => all + one, 0)
  }
  return sum
}

export const synapseSentInvites = defineAdminRequest({
  operation: 'synapseSentInvites',
  method: 'GET',
  path: '/v1/users/:userId/sent_invite_count',
  params: UserParams,
  query: SinceQuery,
  run: async (hs, { params: { userId }, query: { from_ts: since } }) => ({
    invite_count: await sumOfRooms(hs, userId, ({ room_nid: roomNid }) =>
      countInvites(hs, userId, roomNid, since),
    ),
  }),
})

/** Rooms that were joined, also those that were left again. */
export const synapseJoinedRoomCount = defineAdminRequest({
  operation: 'synapseJoinedRoomCount',
  method: 'GET',
  path: '/v1/users/:userId/cumulative_joined_room_count',
  params: UserParams,
  query: SinceQuery,
  run: async (hs, { params: { userId }, query: { from_ts: since } }) => ({
    cumulative_joined_room_count: await sumOfRooms(hs, userId, async (membership) =>
      (await hasJoinedSince(hs, userId, membership, since)) ? 1 : 0,
    ),
  }),
})
