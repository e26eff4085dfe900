import { listReadPositions } from '@causeway/store/tables/unread.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { UserRoom } from '../rooms/membership-index.ts'

/** How far a user has read a room: up to which number, by thread (`main` outside threads). */
export type ReadUpTo = (threadId: string) => number

/** The same of several rooms, by number: receipts, what the user said, and when they came in. One query. */
export async function readPositions(
  engine: Pick<RoomEngine, 'db'>,
  userId: string,
  userRooms: readonly UserRoom[],
): Promise<Map<number, ReadUpTo>> {
  const nids = userRooms.map(({ roomNid }) => roomNid)
  const byRoom = Map.groupBy(await listReadPositions(engine.db, userId, nids), ({ room_nid: nid }) => nid)
  return new Map(
    userRooms.map(({ roomNid, eventNid }) => {
      const threads = new Map(byRoom.get(roomNid)?.map((row) => [row.thread_id, row.event_nid]))
      // Who came in before that was written down has read nothing since their membership.
      const all = threads.get('') ?? eventNid
      return [roomNid, (threadId) => Math.max(all, threads.get(threadId) ?? all)]
    }),
  )
}
