import type { Bus } from '@causeway/store/bus/local.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import type { RoomEngine } from './engine.ts'
import { forgetRoom } from './forget-room.ts'

/** Keeps what the rooms remember of the log true: called before anybody is woken by the same announcement. */
export function followLog(engine: RoomEngine, bus: Bus): void {
  let seen = engine.log.head()
  bus.subscribe(() => {
    const entries = engine.log.ring.since(seen)
    seen = engine.log.head()
    if (entries === 'fell-behind') {
      engine.members.clear()
      engine.ignored.clear()
      engine.invitePermissions.clear()
      engine.threads.clear()
      engine.sticky.clear()
      engine.related.raiseFloor(seen)
      return
    }
    for (const entry of entries) {
      engine.ignored.apply(entry)
      engine.invitePermissions.apply(entry)
      engine.threads.apply(entry)
      engine.sticky.apply(entry)
      if (entry.kind === 'purge') forgetRoom(engine, entry)
      if (entry.kind === 'room_whole') {
        engine.partial.logged(entry.roomNid, entry.position)
        engine.members.recount(entry.roomNid)
      }
      for (const change of memberChangesOf(entry)) engine.members.apply(change)
      if (entry.kind === 'event') engine.related.apply(entry.event)
    }
  })
}
