import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { PushRoomRow } from '@causeway/store/tables/push-queue.ts'
import { findRoomIdByNid } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import { findEventsByNid } from '../../rooms/read-events.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import type { PushRules } from '../../user-data/push-rules.ts'
import { createJudge } from '../judge-event.ts'
import { candidates, PORTION } from '../next-push.ts'

/** What somebody missed in one room. */
export interface MissedRoom {
  readonly room: RoomInfo
  readonly userRoom: UserRoom
  /** Oldest first; not empty. */
  readonly events: readonly StoredEvent[]
  /** There are more than these. */
  readonly isMore: boolean
}

/** What was found in a room, and up to which number it was looked at. */
export interface RoomReview {
  readonly missed: MissedRoom | undefined
  /** Undefined: all of it. */
  readonly lookedAt: number | undefined
}

export interface MissedDeps {
  readonly rooms: RoomEngine
  readonly pushRules: Pick<PushRules, 'of'>
}

/** A mail says how many there are, up to this. */
const MOST_COUNTED = 100
/** Events that are looked at for one room at a time. */
const MOST_LOOKED_AT = 1_000

/** What a user was to be notified of in a room, from a row's event up to a log position, and has not read. */
export async function findMissed(
  deps: MissedDeps,
  userId: UserId,
  row: PushRoomRow,
  upTo: number,
): Promise<RoomReview> {
  const { rooms } = deps
  const nothing: RoomReview = { missed: undefined, lookedAt: undefined }
  const roomId = (await findRoomIdByNid(rooms.db, row.room_nid)) as RoomId | undefined
  const room = roomId === undefined ? undefined : await findRoom(rooms, roomId)
  const userRoom = room && (await rooms.members.roomsOf(userId)).byId.get(room.roomId)
  if (room === undefined || userRoom === undefined) return nothing
  const judge = await createJudge(deps, userId, room, userRoom)
  const events: StoredEvent[] = []
  const view = (isMore: boolean): MissedRoom | undefined =>
    events.length === 0 ? undefined : { room, userRoom, events, isMore }
  let from = row.from_nid
  for (let looked = 0; looked < MOST_LOOKED_AT;) {
    const nids = await candidates(deps, userId, userRoom, from, upTo)
    const found = await findEventsByNid(rooms, nids)
    for (const nid of nids) {
      const event = found.get(nid)
      if (event === undefined || (await judge(event)) === undefined) continue
      if (events.length === MOST_COUNTED) return { missed: view(true), lookedAt: undefined }
      events.push(event)
    }
    if (nids.length < PORTION) return { missed: view(false), lookedAt: undefined }
    from = nids.at(-1)! + 1
    looked += nids.length
  }
  return { missed: view(true), lookedAt: events.length === 0 ? from : undefined }
}
