import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { readStateAt } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { END } from '../rooms/read-events.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { findDeparture } from '../rooms/visibility.ts'
import { newestAt } from '../sync/timeline-order.ts'
import type { Session } from '../http/endpoint.ts'

/** What a user may read of a room: everything while they are in it, up to the end of their stay afterwards. */
export interface RoomAccess {
  readonly room: RoomInfo
  readonly membership: string
  /** Root of the state the user may see: the current one, read when it is asked for, or the one they left behind. */
  readonly stateRoot: () => Promise<number>
  /** Events up to this number. */
  readonly upTo: number
  /** Whether every event is shown, whoever might see it. */
  readonly isWhole?: boolean
}

/** The whole of a room, for an administrator. */
export function wholeAccess(engine: RoomEngine, room: RoomInfo): RoomAccess {
  return { ...currentAccess(engine, room, 'leave'), isWhole: true }
}

/**
 * Lets those in who are or were in a room, and anybody into a world-readable one.
 * Throws `M_FORBIDDEN`, also for rooms that do not exist: who may not look is not told.
 */
export async function requireAccess(
  engine: RoomEngine,
  session: Session,
  roomId: RoomId,
): Promise<RoomAccess> {
  const [room, { byId }] = await Promise.all([
    findRoom(engine, roomId),
    engine.members.roomsOf(session.userId),
  ])
  if (room === undefined) throw forbidden('You are not in this room')
  const standing = byId.get(roomId)
  const newest = currentAccess(engine, room, standing?.membership ?? 'leave')
  if (standing?.membership === 'join') return newest
  const root = await newest.stateRoot()
  const visibility = await readStateAt(engine, room, root, 'm.room.history_visibility', '')
  if (visibility?.stored.content['history_visibility'] === 'world_readable') return newest
  if (standing === undefined || standing.forgotten) throw forbidden('You are not in this room')
  return formerAccess(engine, room, standing, session.userId)
}

function currentAccess(engine: RoomEngine, room: RoomInfo, membership: string): RoomAccess {
  const stateRoot = async (): Promise<number> => (await newestAt(engine, room, END - 1))?.roomRoot ?? 0
  return { room, membership, stateRoot, upTo: END - 1 }
}

/**
 * Those who left see the room as it was when they did, whatever came of their membership since; those who were never in
 * it (declined invites) nothing.
 */
async function formerAccess(
  engine: RoomEngine,
  room: RoomInfo,
  { membership, eventNid }: UserRoom,
  userId: UserId,
): Promise<RoomAccess> {
  const isAskedIn = membership === 'invite' || membership === 'knock'
  const departure = isAskedIn ? undefined : await findDeparture(engine, room, userId, eventNid)
  if (departure === undefined) throw forbidden('You are not in this room')
  return { room, membership, stateRoot: async () => departure.stateRoot, upTo: departure.nid }
}
