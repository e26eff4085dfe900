import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import { listRedacted } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findEvents } from '../rooms/read-events.ts'
import { LISTED_TYPES } from './describe-room.ts'

/**
 * Rooms of which entries of the log may have changed what a list of rooms shows. What it is now, the state tells.
 * @param serverName ours
 */
export async function roomsToDescribe(
  engine: RoomEngine,
  entries: readonly LogEntry[],
  serverName: ServerName,
): Promise<ReadonlySet<number>> {
  const rooms = new Set<number>()
  const redactions: number[] = []
  for (const entry of entries) {
    if (entry.kind === 'room_whole') rooms.add(entry.roomNid)
    if (entry.kind !== 'event') continue
    const { type, stateKey, roomNid, roomRoot, stateRoot, nid } = entry.event
    // Where branches met, state may be another without an event that says so.
    if ((stateKey === '' && LISTED_TYPES.has(type)) || roomRoot !== stateRoot) rooms.add(roomNid)
    if (type === 'm.room.redaction') redactions.push(nid)
    if (bringsState(entry, serverName)) rooms.add(roomNid)
  }
  if (redactions.length > 0) {
    const targets = await findEvents(engine, (await listRedacted(engine.db, redactions)) as EventId[])
    for (const { stateKey, roomNid } of targets.values()) if (stateKey === '') rooms.add(roomNid)
  }
  return rooms
}

/** With the first of ours who comes into a room of other servers comes its state, of which the log tells nothing. */
function bringsState(entry: LogEntry, serverName: ServerName): boolean {
  return memberChangesOf(entry).some(
    ({ userId, membership }) => membership === 'join' && serverNameOf(userId) === serverName,
  )
}
