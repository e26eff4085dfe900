import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

export interface UnreadCount {
  readonly notify: number
  readonly highlight: number
}

/** Unread messages of one user in one room, by the user's push rules. */
export interface UnreadCounts {
  /** Outside threads; threads too for clients that do not ask for them apart. */
  readonly main: UnreadCount
  /** By thread root; threads without unread messages are left out. */
  readonly threads: ReadonlyMap<string, UnreadCount>
}

/** Counts as of a log position, from memory where nothing but the newest events has to be looked at. */
export interface Unread {
  /** @param separateThreads whether threads are counted apart; otherwise `threads` is empty */
  countsOf(userId: UserId, room: RoomInfo, position: number, separateThreads?: boolean): Promise<UnreadCounts>
  /** Counts several rooms in a handful of queries, before `countsOf` is asked for each of them. */
  prepare(userId: UserId, rooms: readonly UserRoom[], position: number): Promise<void>
}
