import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Session } from '../http/endpoint.ts'
import type { Homeserver } from '../homeserver.ts'
import { roomsConcerning, type UserRooms } from '../rooms/membership-index.ts'
import type { SyncFilter } from './filter.ts'
import type { SyncToken } from './token.ts'

/**
 * What every stream is given to answer its questions: complete (no `since`), or the changes in (since, now].
 * Streams read `entries` when there are any, and their tables when the reader fell behind the ring.
 */
export interface SyncContext {
  readonly hs: Homeserver
  readonly session: Session
  readonly since: SyncToken | undefined
  readonly now: SyncToken
  /**
   * Log entries in (since, now] of the user's rooms and of the user, oldest first; undefined on a first sync
   * and when they are no longer in memory.
   */
  readonly entries: readonly LogEntry[] | undefined
  /** The user's rooms as of now. */
  readonly rooms: UserRooms
  readonly filter: SyncFilter
  /** The whole state of every joined room, however little has changed. */
  readonly fullState: boolean
  /**
   * Under which name state is told as it is at the end of the timelines, out of which it then is not read; undefined: as it
   * is at their start, as `state`.
   */
  readonly stateAfter?: string | undefined
}

/** Log entries in (since, now] that concern a user, oldest first; undefined when they are no longer in memory. */
export function readEntries(
  { log }: Pick<Homeserver, 'log'>,
  userId: UserId,
  rooms: UserRooms,
  { since, now }: { readonly since: SyncToken; readonly now: SyncToken },
): readonly LogEntry[] | undefined {
  const held = log.ring.sinceOf(since.position, roomsConcerning(rooms, since.position), new Set([userId]))
  if (held === 'fell-behind') return undefined
  const last = held.at(-1)
  // The log may have grown while we looked: what came after `now` belongs to the next sync.
  return last === undefined || last.position <= now.position
    ? held
    : held.filter((entry) => entry.position <= now.position)
}
