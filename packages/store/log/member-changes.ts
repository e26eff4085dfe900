import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { LogEntry, StoredEvent } from './entry.ts'

/** A user's current membership after an entry of the log. */
export interface CurrentMembership {
  readonly userId: UserId
  readonly membership: Membership
  readonly event: StoredEvent
}

const NOBODY: readonly CurrentMembership[] = []

/** Whose membership of the room is another one since this entry; mostly nobody's or one user's. */
export function memberChangesOf(entry: LogEntry): readonly CurrentMembership[] {
  if (entry.kind === 'room_whole') return entry.memberChanges
  if (entry.kind !== 'event') return NOBODY
  const { event, memberChanges } = entry
  if (memberChanges !== undefined) return memberChanges
  if (event.type !== 'm.room.member' || event.stateKey === undefined) return NOBODY
  const membership = event.content['membership'] as Membership
  return [{ userId: event.stateKey as UserId, membership, event }]
}
