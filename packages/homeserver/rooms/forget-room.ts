import type { PurgeEntry } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from './engine.ts'

/**
 * Lets go of everything that is in memory of a purged room: walks the caches. Called when the log says that it
 * was, and again when its rows are gone, since somebody may have read of it in between.
 */
export function forgetRoom(
  engine: RoomEngine,
  { roomId, roomNid }: Omit<PurgeEntry, 'kind' | 'position'>,
): void {
  const held = engine.rooms.peek(roomId)
  // Somebody may have come back into a room of this id by now; that is another room to us.
  if (held === undefined || held.roomNid === roomNid) {
    engine.rooms.delete(roomId)
    engine.heads.delete(roomId)
    engine.figures.extremities.delete(roomId)
    engine.figures.resolutionMs.delete(roomId)
    engine.busyHeads.delete(roomId)
    engine.members.forgetRoom(roomId, roomNid)
    engine.log.ring.forgetRoom(roomId)
  }
  engine.roomsByNid.delete(roomNid)
  engine.events.deleteWhere((_eventId, event) => event.roomNid === roomNid)
  engine.stateEntries.deleteWhere((key) => key.startsWith(`${roomNid}:`))
  engine.nodes.forgetRoom(roomNid)
  engine.keys.forgetRoom(roomNid)
  engine.authGraphs.delete(roomNid)
  engine.resolutions.deleteWhere((key) => key.startsWith(`${roomNid}:`))
}
