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
  find(roomNid: number): Promise<RoomAccess | undefined>
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
  if (named !== undefined) {
    const rooms = new Map(
      (await namedRooms(hs, session, filter, named)).map((one) => [one.room.roomNid, one]),
    )
    return { roomNids: [...rooms.keys()], find: (roomNid) => Promise.resolve(rooms.get(roomNid)) }
  }
  const { byId } = await hs.rooms.members.roomsOf(session.userId)
  const own = new Map(
    [...byId.values()]
      .filter(({ roomId, forgotten }) => !forgotten && filter.passesRoom(roomId))
      .map((room) => [room.roomNid, room]),
  )
  const found = new Map<number, Promise<RoomAccess | undefined>>()
  const find = (roomNid: number): Promise<RoomAccess | undefined> => {
    const standing = own.get(roomNid)
    if (standing === undefined) return Promise.resolve(undefined)
    const known = found.get(roomNid) ?? findAccess(hs, session, standing.roomId)
    found.set(roomNid, known)
    return known
  }
  return { roomNids: [...own.keys()], find }
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
  const root = await stateRoot()
  const create = root === 0 ? undefined : await readStateAt(rooms, room, root, 'm.room.create', '')
  const predecessor = create?.stored.content['predecessor'] as { room_id?: unknown } | null | undefined
  const roomId = predecessor?.room_id
  return typeof roomId === 'string' ? parseRoomId(roomId) : undefined
}
