import type { Stay } from './member-changes.ts'

/** When two users were in a room together, during a stretch of the log. */
export interface Sharing {
  atStart: boolean
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
  const sharing = { atStart: false, atAnyTime: false, atEnd: false }
  const throughout = steadyStay(true)
  for (const roomNid of joined) {
    if (reader.steady.has(roomNid) && stays?.has(roomNid) !== true) meet(sharing, throughout, throughout)
  }
  for (const [roomNid, stay] of stays ?? []) {
    if (reader.steady.has(roomNid)) meet(sharing, throughout, stay)
  }
  for (const [roomNid, own] of reader.changing) {
    meet(sharing, own, stays?.get(roomNid) ?? steadyStay(joined.has(roomNid)))
  }
  return sharing
}

const STAYED: Stay = { wasJoined: true, changes: [] }
const AWAY: Stay = { wasJoined: false, changes: [] }

function steadyStay(isJoined: boolean): Stay {
  return isJoined ? STAYED : AWAY
}

/** Follows two users through one room. */
function meet(sharing: Sharing, a: Stay, b: Stay): void {
  let [aIn, bIn] = [a.wasJoined, b.wasJoined]
  if (aIn && bIn) sharing.atStart = sharing.atAnyTime = true
  const changes = [
    ...a.changes.map((change) => ({ ...change, ofA: true })),
    ...b.changes.map((change) => ({ ...change, ofA: false })),
  ].sort((one, other) => one.position - other.position)
  for (const change of changes) {
    if (change.ofA) aIn = change.isJoined
    else bIn = change.isJoined
    if (aIn && bIn) sharing.atAnyTime = true
  }
  if (aIn && bIn) sharing.atEnd = true
}
