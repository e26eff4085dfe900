import { userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { change } from '../client/change-membership.ts'
import type { Homeserver } from '../homeserver.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import { powerBy } from '../rooms/power-state.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { needsInvitation } from './known-room.ts'

/** What creators have who stand above all levels, and whoever makes a room without levels. */
const FULL_POWER = 100

/**
 * Gives somebody as much power in a room as the most powerful user of this server has in it, who sends it; who is not in
 * the room is invited, unless everybody may come in. Throws `M_INVALID_PARAM` when nobody here has the power.
 * https://element-hq.github.io/synapse/latest/admin_api/rooms.html#make-room-admin-api
 */
export async function makeRoomAdmin(
  hs: Homeserver,
  room: RoomInfo,
  userId: UserId,
  signal: AbortSignal,
): Promise<void> {
  const [create, levels] = await readNewestState(hs.rooms, room, [
    { type: 'm.room.create', stateKey: '' },
    { type: 'm.room.power_levels', stateKey: '' },
  ])
  const power = powerBy(room.rules, create?.roomEvent, levels?.roomEvent)
  const local = [...(await hs.rooms.members.localMembers(room.roomNid))]
  const [strongest] = local.toSorted((a, b) => userLevel(power, b) - userLevel(power, a) || (a < b ? -1 : 1))
  if (strongest === undefined) throw invalidParam('No local admin user in room')
  const level = Math.min(userLevel(power, strongest), FULL_POWER)
  if (userLevel(power, userId) < level) {
    const had = levels?.stored.content ?? { users: { [strongest]: FULL_POWER } }
    await raise(hs, room, strongest, withUser(had, userId, level))
  }
  if (!(await needsInvitation(hs, room, userId))) return
  await change(hs, { roomId: room.roomId, action: 'invite', sender: strongest, target: userId }, signal)
}

function withUser(levels: JsonObject, userId: UserId, level: number): JsonObject {
  const users = isJsonObject(levels['users']) ? levels['users'] : {}
  return { ...levels, users: { ...users, [userId]: level } }
}

async function raise(
  hs: Homeserver,
  { roomId }: RoomInfo,
  sender: UserId,
  content: JsonObject,
): Promise<void> {
  try {
    await sendEvent(hs.rooms, { roomId, type: 'm.room.power_levels', stateKey: '', sender, content })
  } catch (error) {
    if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
    throw invalidParam('No local admin user in room with power to update power levels')
  }
}
