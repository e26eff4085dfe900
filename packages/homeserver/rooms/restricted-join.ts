import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { requiredActionLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from './engine.ts'
import { findRoom } from './load-head.ts'
import { powerIn } from './power-state.ts'
import { stateOf, type RoomWrite } from './room-write.ts'

const RESTRICTED: ReadonlySet<string> = new Set(['restricted', 'knock_restricted'])

/**
 * Who of ours can vouch for a join by membership of another room, when the join rule asks for that; undefined
 * when it does not. Throws what `requireAllowedRoom` throws, `M_UNABLE_TO_GRANT_JOIN` when nobody of ours has the
 * power to invite.
 * https://spec.matrix.org/v1.19/client-server-api/#restricted-rooms
 */
export async function chooseAuthorisingUser(
  engine: RoomEngine,
  write: RoomWrite,
  userId: UserId,
): Promise<UserId | undefined> {
  if (!(await requireAllowedRoom(engine, write, userId))) return undefined
  return findInviter(engine, write)
}

/**
 * Whether joining takes membership of another room, which the user then has. Throws `M_FORBIDDEN` when they have
 * not, `M_UNABLE_TO_AUTHORISE_JOIN` when nobody of ours is in any of the rooms, so that we cannot tell.
 */
export async function requireAllowedRoom(
  engine: RoomEngine,
  write: RoomWrite,
  userId: UserId,
): Promise<boolean> {
  const rules = await stateOf(engine, write, 'm.room.join_rules', '')
  const joinRule = rules?.stored.content['join_rule']
  if (!write.head.rules.restrictedJoins || !RESTRICTED.has(joinRule as string)) return false
  const rooms = allowedRooms(rules?.stored.content['allow'])
  const { joined } = await engine.members.roomsOf(userId)
  // Who was in a room when we left it may have left since: only what we still see counts.
  const theirs = rooms.filter((roomId) => joined.has(roomId))
  if (await knowsAny(engine, theirs)) return true
  if (rooms.length > 0 && !(await knowsAny(engine, rooms))) {
    throw new MatrixError(
      'M_UNABLE_TO_AUTHORISE_JOIN',
      'This server is in none of the rooms whose members may join this one',
    )
  }
  throw new MatrixError('M_FORBIDDEN', 'You are in none of the rooms whose members may join this one')
}

/** Whether we see who is in one of these rooms. */
async function knowsAny(engine: RoomEngine, rooms: readonly RoomId[]): Promise<boolean> {
  for (const roomId of rooms) {
    const room = await findRoom(engine, roomId)
    if (room !== undefined && (await engine.members.localMembers(room.roomNid)).size > 0) return true
  }
  return false
}

/** Rooms that a restricted join rule names. */
export function allowedRooms(allow: unknown): RoomId[] {
  if (!Array.isArray(allow)) return []
  return allow.flatMap((rule: unknown) =>
    isJsonObject(rule) && rule['type'] === 'm.room_membership' && typeof rule['room_id'] === 'string'
      ? [rule['room_id'] as RoomId]
      : [],
  )
}

/** A user of ours who may let others in. Throws `M_UNABLE_TO_GRANT_JOIN` when there is none. */
export async function findInviter(engine: RoomEngine, write: RoomWrite): Promise<UserId> {
  const levels = await powerIn(engine, write)
  const needed = requiredActionLevel(levels, 'invite')
  for (const userId of await engine.members.localMembers(write.head.roomNid)) {
    if (userLevel(levels, userId) >= needed) return userId
  }
  throw new MatrixError('M_UNABLE_TO_GRANT_JOIN', 'Nobody on this server may let others into the room')
}
