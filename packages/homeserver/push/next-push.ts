import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { PushVerdict } from '@causeway/matrix/push-rules/evaluate.ts'
import type { Statement } from '@causeway/store/db/database.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { PusherRow } from '@causeway/store/tables/pushers.ts'
import { advancePush, BADGE, listPushRooms, type PushRoomRow } from '@causeway/store/tables/push-queue.ts'
import { findRoomIdByNid } from '@causeway/store/tables/rooms.ts'
import { listCandidates } from '@causeway/store/tables/unread.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { countModeOf } from '../unread/rule-plan.ts'
import type { PushRules } from '../user-data/push-rules.ts'
import { createJudge } from './judge-event.ts'

/** What a pusher is told next. `done` is written once it was, or at once where there is nothing to be told. */
export type NextPush =
  | {
      readonly kind: 'event'
      readonly room: RoomInfo
      readonly event: StoredEvent
      readonly verdict: PushVerdict
      readonly done: readonly Statement[]
    }
  | { readonly kind: 'counts' | 'nothing'; readonly done: readonly Statement[] }

export interface NextPushDeps {
  readonly rooms: RoomEngine
  readonly pushRules: Pick<PushRules, 'of'>
  /** Resolves with the log position up to which everything is written down, whatever is being so now. */
  readonly dispatched: () => Promise<number>
}

/** Events looked at in one go. */
export const PORTION = 50

/**
 * The oldest event of which a pusher may have to be told, as far as the log was dispatched, and the count of unread
 * messages after all events. Undefined when nothing waits.
 */
export async function nextPush(deps: NextPushDeps, pusher: PusherRow): Promise<NextPush | undefined> {
  const rows = await listPushRooms(deps.rooms.db, pusher.nid, 2)
  if (rows.length === 0) return undefined
  // In this order: whatever is dispatched above this position changes the revisions just read.
  const upTo = await deps.dispatched()
  const row = rows.find(({ room_nid: roomNid }) => roomNid !== BADGE)
  if (row !== undefined) return nextOfRoom(deps, pusher, row, upTo)
  const [badge] = rows
  return badge && { kind: 'counts', done: advancePush(pusher.nid, badge, upTo + 1, true) }
}

async function nextOfRoom(
  deps: NextPushDeps,
  pusher: PusherRow,
  row: PushRoomRow,
  upTo: number,
): Promise<NextPush> {
  const { rooms } = deps
  const all: NextPush = { kind: 'nothing', done: advancePush(pusher.nid, row, upTo + 1, true) }
  const roomId = (await findRoomIdByNid(rooms.db, row.room_nid)) as RoomId | undefined
  const room = roomId === undefined ? undefined : await findRoom(rooms, roomId)
  const userId = pusher.user_id as UserId
  const userRoom = room && (await rooms.members.roomsOf(userId)).byId.get(room.roomId)
  if (room === undefined || userRoom === undefined) return all
  const nids = await candidates(deps, userId, userRoom, row.from_nid, upTo)
  const events = await findEventsByNid(rooms, nids)
  const judge = await createJudge(deps, userId, room, userRoom)
  for (const nid of nids) {
    const event = events.get(nid)
    const verdict = event && (await judge(event))
    if (event === undefined || verdict === undefined) continue
    const isLast = nid === nids.at(-1) && nids.length < PORTION
    const done = advancePush(pusher.nid, row, isLast ? upTo + 1 : nid + 1, isLast)
    return { kind: 'event', room, event, verdict, done }
  }
  if (nids.length < PORTION) return all
  return { kind: 'nothing', done: advancePush(pusher.nid, row, nids.at(-1)! + 1, false) }
}

/** Numbers of the events of a room, oldest first, of which a user may have to be told; as many as are looked at in one go. */
export async function candidates(
  { rooms, pushRules }: Pick<NextPushDeps, 'rooms' | 'pushRules'>,
  userId: UserId,
  { roomId, roomNid, membership, eventNid }: UserRoom,
  from: number,
  upTo: number,
): Promise<readonly number[]> {
  if (membership === 'invite') return eventNid >= from && eventNid <= upTo ? [eventNid] : []
  if (membership !== 'join') return []
  const mode = countModeOf((await pushRules.of(userId)).changes, userId, roomId)
  if (mode === 'none') return []
  const range = { roomNid, userId, mode, after: from - 1, before: upTo + 1 }
  return listCandidates(rooms.db, { ...range, newestFirst: false, limit: PORTION })
}
