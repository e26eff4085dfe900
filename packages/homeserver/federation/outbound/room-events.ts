import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  advanceUnsent,
  deleteUnsent,
  findLastOutboundEvent,
  hasMoreOutboundEvents,
  listOutboundEvents,
  type OutboundEventRow,
  type UnsentRoomRow,
} from '@causeway/store/tables/outbound.ts'
import { oweSticky } from '@causeway/store/tables/outbound-sticky.ts'
import { isServerInRoom } from '@causeway/store/tables/room-servers.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { readStoredExtremities } from '../../rooms/head.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { findEvents } from '../../rooms/read-events.ts'
import type { ServerSets } from './server-sets.ts'
import type { RoomTargets } from './room-targets.ts'

/** https://spec.matrix.org/v1.19/server-server-api/#transactions */
export const MAX_PDUS = 50

/** What one server has not got of one room, as far as one transaction can hold it. */
export interface RoomEvents {
  readonly row: UnsentRoomRow
  /** Numbers of events, in order. */
  readonly nids: readonly number[]
  /** Where the room stands once these are sent. */
  readonly nextNid: number
  /** Nothing was left when it was read. */
  readonly isLast: boolean
  /** They go together, or not yet. */
  readonly isWhole: boolean
  /** Sticky events may be among what is left out: they are owed. */
  readonly leavesOut: boolean
}

export interface RoomEventsDeps {
  readonly db: Database
  readonly rooms: RoomEngine
  readonly targets: RoomTargets
  readonly sets: ServerSets
}

/** Behind by more events than this in one room, a server that was away is sent the newest only. */
const FAR_BEHIND = 50
/** The same for one that was not known to be away. */
const HOPELESSLY_BEHIND = 1_000

/**
 * The events of a room that a server shall have next: all in order, or, where it is far behind, the forward
 * extremities, from which it fetches what lies before them.
 */
export async function collectRoomEvents(
  deps: RoomEventsDeps,
  server: ServerName,
  row: UnsentRoomRow,
  wasAway: boolean,
): Promise<RoomEvents> {
  const { db } = deps
  const events = await listOutboundEvents(db, row.room_nid, row.from_nid, FAR_BEHIND + 1)
  if (events.length > FAR_BEHIND && (wasAway || (await isHopeless(db, row)))) {
    // Read before the extremities, which hence are not older.
    const nextNid = (await findLastOutboundEvent(db, row.room_nid)) + 1
    const leavesOut = deps.rooms.sticky.mayBeAny()
    return {
      row,
      nids: await newestEvents(deps, server, row),
      nextNid,
      isLast: true,
      isWhole: true,
      leavesOut,
    }
  }
  const batch = events.slice(0, MAX_PDUS)
  const nids = await addressedTo(deps, server, batch)
  const { parted_nid: parted } = row
  // It may be older than what is kept.
  if (parted !== 0 && parted < (batch[0]?.nid ?? Infinity)) nids.unshift(parted)
  const nextNid = Math.max(row.from_nid, (batch.at(-1)?.nid ?? 0) + 1)
  const isLast = events.length <= MAX_PDUS
  return { row, nids, nextNid, isLast, isWhole: false, leavesOut: false }
}

/**
 * The step by which a room's row says that its first events are in a transaction.
 * @param taken how many; undefined: none yet
 * @param isBusy more has come since it was read: the row stays
 */
export function takeRoomEvents(
  server: ServerName,
  { row, nids, nextNid, isLast, leavesOut }: RoomEvents,
  taken: number | undefined,
  isBusy: boolean,
): Step[] {
  if (taken === undefined) return []
  if (taken < nids.length) return [advanceUnsent(server, row, nids[taken]!)]
  const step = isLast && !isBusy ? deleteUnsent(server, row) : advanceUnsent(server, row, nextNid)
  return leavesOut ? [step, oweSticky(server, row.room_nid, row.from_nid, nextNid)] : [step]
}

function isHopeless(db: Database, row: UnsentRoomRow): Promise<boolean> {
  return hasMoreOutboundEvents(db, row.room_nid, row.from_nid, HOPELESSLY_BEHIND)
}

async function addressedTo(
  { sets }: RoomEventsDeps,
  server: ServerName,
  events: readonly OutboundEventRow[],
): Promise<number[]> {
  const found = await sets.find(events.map((event) => event.set_nid).filter((nid) => nid !== 0))
  const wanted = events.filter((event) => event.also === server || found.get(event.set_nid)?.has(server))
  return wanted.map((event) => event.nid)
}

/** The room's forward extremities where the server is still in it, and the event by which somebody of it was put out. */
async function newestEvents(deps: RoomEventsDeps, server: ServerName, row: UnsentRoomRow): Promise<number[]> {
  const nids = row.parted_nid === 0 ? [] : [row.parted_nid]
  const eventIds = await extremitiesFor(deps, server, row.room_nid)
  if (eventIds === undefined) return nids
  const events = await findEvents(deps.rooms, eventIds)
  const foreign = [...events.values()].filter(({ sender }) => serverNameOf(sender) !== server)
  return [...new Set([...nids, ...foreign.map(({ nid }) => nid)])].sort((a, b) => a - b).slice(0, MAX_PDUS)
}

/** The forward extremities of a room, for a server that takes part in it now; undefined for any other. */
export async function extremitiesFor(
  { db, rooms, targets }: RoomEventsDeps,
  server: ServerName,
  roomNid: number,
): Promise<readonly EventId[] | undefined> {
  if (!(await isServerInRoom(db, roomNid, server))) return undefined
  const { roomId } = await getRoomByNid(rooms, roomNid)
  const stored = await findRoomRow(db, roomId)
  if (stored === undefined) return undefined
  const { eventIds, root } = readStoredExtremities(stored)
  return (await targets.allows(roomNid, root, server)) ? eventIds : undefined
}
