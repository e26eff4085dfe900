import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { readStateAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { getRoomByNid } from './load-head.ts'

/** What the user of a membership event was to the room before it; undefined for a first membership. */
export async function membershipBefore(engine: RoomEngine, event: StoredEvent): Promise<string | undefined> {
  if (event.stateBefore === 0) return undefined
  const room = await getRoomByNid(engine, event.roomNid)
  const before = await readStateAt(engine, room, event.stateBefore, 'm.room.member', event.stateKey!)
  const membership = before?.stored.content['membership']
  return typeof membership === 'string' ? membership : undefined
}
