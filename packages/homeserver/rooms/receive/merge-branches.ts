import { requiredLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { appendEvent } from '../append-event.ts'
import type { RoomEngine } from '../engine.ts'
import { powerIn } from '../power-state.ts'
import { MERGE_TYPE } from '../read-events.ts'
import { stateOf, type RoomWrite } from '../room-write.ts'
import { writeToRoom } from '../write-to-room.ts'

/** From this many on, branches are joined by an event of ours: each costs every later event a resolution. */
export const MANY_BRANCHES = 10

/**
 * Joins the branches in which a room ends, when they are many and nobody of ours says anything that would do it.
 * Resolves with whether that was done: it needs a member of ours who may send such an event.
 */
export function mergeBranches(engine: RoomEngine, roomId: RoomId): Promise<boolean> {
  return writeToRoom(engine, roomId, async (write) => {
    let merged = false
    while (write.extremities.length >= MANY_BRANCHES) {
      const sender = await findMergeSender(engine, write)
      if (sender === undefined) return { value: merged }
      await appendEvent(engine, write, { type: MERGE_TYPE, sender, content: {} })
      merged = true
    }
    return { value: merged }
  })
}

/** A user of ours who may send an event that says nothing; undefined where nobody may. Only inside the room's queue. */
export async function findMergeSender(engine: RoomEngine, write: RoomWrite): Promise<UserId | undefined> {
  const levels = await powerIn(engine, write)
  const needed = requiredLevel(levels, MERGE_TYPE, false)
  for (const userId of await engine.members.localMembers(write.head.roomNid)) {
    const member = await stateOf(engine, write, 'm.room.member', userId)
    const isJoined = member?.stored.content['membership'] === 'join'
    if (isJoined && userLevel(levels, userId) >= needed) return userId
  }
  return undefined
}
