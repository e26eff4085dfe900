// https://github.com/matrix-org/matrix-spec-proposals/pull/4354
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import {
  advanceOwed,
  deleteOwed,
  listOwedSticky,
  oweSticky,
  type OwedStickyRow,
} from '@causeway/store/tables/outbound-sticky.ts'
import { listSomeRoomServers } from '@causeway/store/tables/room-servers.ts'
import { listOwnSticky } from '@causeway/store/tables/sticky-events.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { extremitiesFor, type RoomEventsDeps } from './room-events.ts'

/** Sticky events of ours that a server has not got, as far as one transaction can hold them. */
export interface OwedEvents {
  /** Numbers of events, in order. */
  readonly nids: readonly number[]
  readonly steps: readonly Step[]
  /** There are no others. */
  readonly isLast: boolean
}

/** Rooms looked at for one transaction. */
const MAX_ROOMS = 50

/** Rooms of which a server has not got what is still sticky. No query while nothing is. */
export async function listOwed({ db, rooms }: RoomEventsDeps, server: ServerName): Promise<OwedStickyRow[]> {
  return rooms.sticky.mayBeAny() ? listOwedSticky(db, server, MAX_ROOMS) : []
}

/**
 * What is still sticky of what was sent before a server came into a room, or while it was far behind.
 * @param rows what `listOwed` found
 * @param room how many events the transaction has room for
 */
export async function collectOwedSticky(
  deps: RoomEventsDeps,
  server: ServerName,
  rows: readonly OwedStickyRow[],
  room: number,
): Promise<OwedEvents> {
  const { db, rooms } = deps
  const nids: number[] = []
  const steps: Step[] = []
  let isLast = rows.length < MAX_ROOMS
  for (const row of rows) {
    const { room_nid: roomNid, from_position: from, end_position: end } = row
    const left = room - nids.length
    const isInRoom = (await extremitiesFor(deps, server, roomNid)) !== undefined
    const range = { from, end, now: rooms.clock.now(), limit: left + 1 }
    const found = isInRoom ? await listOwnSticky(db, roomNid, range) : []
    nids.push(...found.slice(0, left).map((event) => event.event_nid))
    if (found.length <= left) steps.push(deleteOwed(server, row))
    else {
      isLast = false
      if (left > 0) steps.push(advanceOwed(server, row, found[left]!.position))
    }
  }
  return { nids, steps, isLast }
}

/** The step that notes, at a join, which of our sticky events a server has not got that was not in the room before. */
export async function oweAtJoin(
  { db, sticky, clock }: Pick<RoomEngine, 'db' | 'sticky' | 'clock'>,
  server: ServerName,
  { roomNid, nid }: Pick<StoredEvent, 'roomNid' | 'nid'>,
): Promise<Step | undefined> {
  if (!sticky.mayBeAny()) return undefined
  const [row] = await listSomeRoomServers(db, roomNid, [server])
  if (row?.from_nid !== nid) return undefined
  const range = { from: 1, end: nid, now: clock.now(), limit: 1 }
  const isAny = (await listOwnSticky(db, roomNid, range)).length > 0
  return isAny ? oweSticky(server, roomNid, 1, nid) : undefined
}
