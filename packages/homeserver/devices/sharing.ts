import type { Stay } from './member-changes.ts'

/** When two users were in a room together, during a stretch of the log. */
export interface Sharing {
  atStart: boolean
  /** At every moment between. */
  throughout: boolean
  atAnyTime: boolean
  atEnd: boolean
}

/** What is known of the reader: rooms joined to throughout, and stays in rooms that were joined or left. */
export interface ReaderRooms {
  readonly steady: ReadonlySet<number>
  readonly changing: ReadonlyMap<number, Stay>
}

/**
 * Whether and when the reader shared a room with another user.
 * @param joined which of the reader's rooms the other is joined to now
 * @param stays the other's joins and leaves during the stretch
 */
export function sharingOf(
  reader: ReaderRooms,
  joined: ReadonlySet<number>,
  stays: ReadonlyMap<number, Stay> | undefined,
): Sharing {
  const throughout = steadyStay(true)
  const rooms: (readonly [Stay, Stay])[] = []
  for (const roomNid of joined) {
    if (reader.steady.has(roomNid) && stays?.has(roomNid) !== true) rooms.push([throughout, throughout])
  }
  for (const [roomNid, stay] of stays ?? []) {
    if (reader.steady.has(roomNid)) rooms.push([throughout, stay])
  }
  for (const [roomNid, own] of reader.changing) {
    rooms.push([own, stays?.get(roomNid) ?? steadyStay(joined.has(roomNid))])
  }
  return follow(rooms)
}

const STAYED: Stay = { wasJoined: true, changes: [] }
const AWAY: Stay = { wasJoined: false, changes: [] }

function steadyStay(isJoined: boolean): Stay {
  return isJoined ? STAYED : AWAY
}

/** Follows two users through rooms: the stay of the one and of the other in each. */
function follow(rooms: readonly (readonly [Stay, Stay])[]): Sharing {
  const inside = rooms.map((stays) => stays.map(({ wasJoined }) => wasJoined))
  const isShared = (room: number): boolean => inside[room]!.every(Boolean)
  const changes = rooms
    .flatMap((stays, room) =>
      stays.flatMap((stay, who) => stay.changes.map((change) => ({ ...change, room, who }))),
    )
    .sort((one, other) => one.position - other.position)
  let shared = inside.filter((_, room) => isShared(room)).length
  const sharing = { atStart: shared > 0, throughout: shared > 0, atAnyTime: shared > 0, atEnd: shared > 0 }
  for (const { room, who, isJoined } of changes) {
    const before = isShared(room)
    inside[room]![who] = isJoined
    shared += Number(isShared(room)) - Number(before)
    if (shared > 0) sharing.atAnyTime = true
    else sharing.throughout = false
  }
  return { ...sharing, atEnd: shared > 0 }
}
