import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { UserRoom } from '../../../rooms/membership-index.ts'
import type { SlidingContext } from '../context.ts'
import type { RoomScope } from '../request.ts'
import type { RoomResult } from '../room-result.ts'
import type { Windows } from '../windows.ts'

/** What the parts beside the rooms are told after: the rooms as they are answered. */
export interface AnsweredRooms {
  readonly windows: Windows
  readonly results: ReadonlyMap<RoomId, RoomResult>
}

/** The rooms that something is told of, by what the client has of it already. */
export interface ScopedRooms {
  /** All of it is told. */
  readonly fresh: readonly UserRoom[]
  /** What changed after a position. */
  readonly behind: readonly { readonly room: UserRoom; readonly until: number }[]
  /** What changed since the last answer. */
  readonly live: ReadonlyMap<RoomId, UserRoom>
}

const ALL = '*'

/** Rooms that an extension is asked for, among those that are in a window or subscribed to, and joined. */
export function roomsInScope({ windows: { lists, wanted } }: AnsweredRooms, scope: RoomScope): UserRoom[] {
  const joined: UserRoom[] = []
  const isNamed = scope.rooms.includes(ALL) ? undefined : namedRooms(lists, scope)
  for (const { room } of wanted.values())
    if (room.membership === 'join' && isNamed?.has(room.roomId) !== false) joined.push(room)
  return joined
}

function namedRooms(lists: AnsweredRooms['windows']['lists'], scope: RoomScope): ReadonlySet<string> {
  const named = new Set<string>(scope.rooms)
  for (const [name, { windows }] of lists) {
    if (!scope.lists.includes(ALL) && !scope.lists.includes(name)) continue
    for (const { roomIds } of windows) for (const roomId of roomIds) named.add(roomId)
  }
  return named
}

/**
 * @param told the bit of what is told (`Told`)
 * @param anew whether a room whose timeline is told from further back counts as new
 */
export function sortByTold(
  { since, turn }: SlidingContext,
  { results }: AnsweredRooms,
  rooms: readonly UserRoom[],
  told: number,
  anew: boolean,
): ScopedRooms {
  const fresh: UserRoom[] = []
  const behind: { room: UserRoom; until: number }[] = []
  const live = new Map<RoomId, UserRoom>()
  for (const room of rooms) {
    const sent = since === undefined ? undefined : turn.base.rooms.get(room.roomNid)
    const result = results.get(room.roomId)
    const isAnew = result?.isInitial === true || (anew && result?.isExpanded === true)
    if (sent === undefined || isAnew || (sent.told & told) === 0) fresh.push(room)
    else if (sent.until === undefined) live.set(room.roomId, room)
    else behind.push({ room, until: sent.until })
  }
  return { fresh, behind, live }
}
