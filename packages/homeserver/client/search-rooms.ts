import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { parseRoomId } from '@causeway/matrix/ids/room-id.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { readStateAt } from '../rooms/current-state.ts'
import type { EventFilter } from '../sync/filter.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'

/** Rooms that one search goes through by name: those of the filter and what they were upgraded from. */
const MAX_NAMED = 1_000
/** Upgrades that are followed back from a room. */
const MAX_UPGRADES = 20

/** The rooms that a search goes through. */
export interface SearchedRooms {
  readonly roomNids: readonly number[]
  /** What the user may read of one of them; undefined: nothing. */
  accessTo(roomNid: number): Promise<RoomAccess | undefined>
}

/**
 * All rooms that a user is or was in; where a filter names rooms, those and what they were upgraded from, among them
 * rooms that anybody may read.
 */
export async function searchedRooms(
  hs: Pick<Homeserver, 'rooms'>,
  session: Session,
  filter: EventFilter,
  named: readonly string[] | undefined,
): Promise<SearchedRooms> {
  const accesses = new Map<number, Promise<RoomAccess | undefined>>()
  const ids = new Map<number, RoomId>()
  if (named === undefined) {
    for (const { roomId, roomNid, forgotten } of (
      await hs.rooms.members.roomsOf(session.userId)
    ).byId.values()) {
      if (!forgotten && filter.passesRoom(roomId)) ids.set(roomNid, roomId)
    }
  } else {
    for (const access of await namedRooms(hs, session, filter, named)) {
      ids.set(access.room.roomNid, access.room.roomId)
      accesses.set(access.room.roomNid, Promise.resolve(access))
    }
  }
  return {
    roomNids: [...ids.keys()],
    accessTo(roomNid) {
      const roomId = ids.get(roomNid)
      if (roomId === undefined) return Promise.resolve(undefined)
      const known = accesses.get(roomNid) ?? findAccess(hs, session, roomId)
      accesses.set(roomNid, known)
      return known
    },
  }
}

async function namedRooms(
  hs: Pick<Homeserver, 'rooms'>,
  session: Session,
  filter: EventFilter,
  named: readonly string[],
): Promise<RoomAccess[]> {
  const found = new Map<string, RoomAccess>()
  for (const name of named) {
    if (!filter.passesRoom(name)) continue
    let next = parseRoomId(name)
    for (let step = 0; next !== undefined && step <= MAX_UPGRADES && found.size < MAX_NAMED; step++) {
      if (found.has(next)) break
      const access = await findAccess(hs, session, next)
      if (access === undefined) break
      found.set(next, access)
      next = await predecessorOf(hs, access)
    }
  }
  return [...found.values()]
}

async function findAccess(
  { rooms }: Pick<Homeserver, 'rooms'>,
  session: Session,
  roomId: RoomId,
): Promise<RoomAccess | undefined> {
  try {
    return await requireAccess(rooms, session, roomId)
  } catch (error) {
    if (error instanceof MatrixError && error.status === 403) return undefined
    throw error
  }
}

async function predecessorOf(
  { rooms }: Pick<Homeserver, 'rooms'>,
  { room, stateRoot }: RoomAccess,
): Promise<RoomId | undefined> {
  const create = await readStateAt(rooms, room, await stateRoot(), 'm.room.create', '')
  const predecessor = create?.stored.content['predecessor'] as { room_id?: unknown } | null | undefined
  const roomId = predecessor?.room_id
  return typeof roomId === 'string' ? parseRoomId(roomId) : undefined
}
