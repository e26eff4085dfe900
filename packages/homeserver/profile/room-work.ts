import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import type { UserJobName } from '@causeway/store/tables/user-jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { changeMembership } from '../rooms/membership.ts'
import { appendEvent } from '../rooms/append-event.ts'
import { stateOf } from '../rooms/room-write.ts'
import { writeToRoom } from '../rooms/write-to-room.ts'

type Deps = Pick<Homeserver, 'db' | 'rooms'>

/** One job: the rooms it is about, and what it does in each. Doing it twice changes nothing. */
export interface RoomWork {
  readonly rooms: readonly RoomId[]
  readonly run: (roomId: RoomId) => Promise<void>
}

/** Keys of a membership that belong to the event and not to the membership. */
const ONCE = new Set(['reason', 'third_party_invite', 'is_direct', 'join_authorised_via_users_server'])

export async function roomWorkFor(
  hs: Deps,
  userId: UserId,
  job: Exclude<UserJobName, 'directory'>,
): Promise<RoomWork> {
  const { byId, joined } = await hs.rooms.members.roomsOf(userId)
  if (job === 'leave') {
    const present = [...byId.values()].filter(({ membership }) =>
      ['join', 'invite', 'knock'].includes(membership),
    )
    return { rooms: present.map((room) => room.roomId), run: (roomId) => leave(hs, userId, roomId) }
  }
  const value = (await findProfiles(hs.db, [userId])).get(userId)?.get(job)
  return { rooms: [...joined], run: (roomId) => showField(hs, userId, roomId, { field: job, value }) }
}

async function leave(hs: Deps, userId: UserId, roomId: RoomId): Promise<void> {
  const room = await findRoom(hs.rooms, roomId)
  // An invitation to a room that we are not in: there is nothing to leave.
  if (room === undefined || (await hs.rooms.members.localMembers(room.roomNid)).size === 0) return
  await changeMembership(hs.rooms, { roomId, action: 'leave', sender: userId, target: userId })
}

/** The membership with one field of the profile renewed, or undefined when it shows it already. */
function renewed(
  content: JsonObject,
  { field, value }: { readonly field: string; readonly value: JsonValue | undefined },
): JsonObject | undefined {
  if (content[field] === value) return undefined
  const kept = Object.entries(content).filter(([key]) => key !== field && !ONCE.has(key))
  return { ...Object.fromEntries(kept), ...(value === undefined ? {} : { [field]: value }) }
}

/**
 * Shows one field as it is now. The other field stays as it is in this room: it may be one for this room only.
 * Inside the room's queue, so that somebody who leaves at this moment is not brought back.
 */
async function showField(
  hs: Deps,
  userId: UserId,
  roomId: RoomId,
  change: { readonly field: string; readonly value: JsonValue | undefined },
): Promise<void> {
  await writeToRoom(hs.rooms, roomId, async (write) => {
    const current = (await stateOf(hs.rooms, write, 'm.room.member', userId))?.stored.content
    if (current?.['membership'] !== 'join') return { value: undefined }
    const content = renewed(current, change)
    if (content === undefined) return { value: undefined }
    await appendEvent(hs.rooms, write, { type: 'm.room.member', sender: userId, stateKey: userId, content })
    return { value: undefined }
  })
}
