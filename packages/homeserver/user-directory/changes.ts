import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'

/** Users by room number. */
export type Members = Map<number, Set<UserId>>

/** What entries of the log may have changed about whom people find. What it is now, the tables tell. */
export interface Changes {
  /** Who may be a member or no more, or have another name. */
  readonly members: Members
  /** Rooms that may be open now or no more, or with people of ours or without. */
  readonly rooms: Set<number>
  /** Rooms whose members are to be looked at, all of them. */
  readonly whole: Set<number>
  /** Rooms that one of ours has left: when nobody of ours was left, what was known of it may be outdated. */
  readonly left: Set<number>
  readonly purged: Set<number>
  /** Log numbers of redactions. */
  readonly redactions: number[]
}

/** State that says whether a room is open. */
const OPENNESS: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.join_rules',
  'm.room.history_visibility',
])

export function addMember(members: Members, roomNid: number, userId: UserId): void {
  const users = members.get(roomNid)
  if (users === undefined) members.set(roomNid, new Set([userId]))
  else users.add(userId)
}

/** @param serverName ours */
export function changesOf(entries: readonly LogEntry[], serverName: ServerName): Changes {
  const changes: Changes = {
    members: new Map(),
    rooms: new Set(),
    whole: new Set(),
    left: new Set(),
    purged: new Set(),
    redactions: [],
  }
  for (const entry of entries) {
    noteRoom(changes, entry)
    for (const { userId, membership, event } of memberChangesOf(entry)) {
      const { roomNid } = event
      addMember(changes.members, roomNid, userId)
      if (serverNameOf(userId) !== serverName) continue
      changes.rooms.add(roomNid)
      if (membership !== 'join') changes.left.add(roomNid)
    }
  }
  return changes
}

/** Whether nobody is found in another way: what people say is none of the directory's concern. */
export function isNothing({ members, rooms, whole, left, purged, redactions }: Changes): boolean {
  return members.size + rooms.size + whole.size + left.size + purged.size + redactions.length === 0
}

function noteRoom({ rooms, whole, purged, redactions }: Changes, entry: LogEntry): void {
  if (entry.kind === 'purge') purged.add(entry.roomNid)
  if (entry.kind === 'room_whole') whole.add(entry.roomNid)
  if (entry.kind !== 'event') return
  const { event } = entry
  // Where branches met, state may be another without an event that says so.
  if (OPENNESS.has(event.type) || event.roomRoot !== event.stateRoot) rooms.add(event.roomNid)
  if (event.type === 'm.room.redaction') redactions.push(event.nid)
}
