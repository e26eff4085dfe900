import { requiredLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StateKeyName } from '@causeway/store/state/keys.ts'
import { readStateKeysAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { powerBy } from './power-state.ts'
import { BEGINNING, END, listTimeline } from './read-events.ts'
import type { StateEntry } from './state-entry.ts'
import type { RoomInfo } from './stored-event.ts'

/**
 * Entries of a room's state as of its newest durable event, in the order of `names`. Unlike the head's state it
 * can be read outside the room's queue; for lists and for checks that the queue does not depend on.
 */
export async function readNewestState(
  engine: RoomEngine,
  room: RoomInfo,
  names: readonly StateKeyName[],
): Promise<(StateEntry | undefined)[]> {
  const range = { after: BEGINNING, before: END, backwards: true, limit: 1 }
  const newest = (await listTimeline(engine, room, range))[0]
  if (newest === undefined) return names.map(() => undefined)
  return readStateKeysAt(engine, room, newest.roomRoot, names)
}

/** Whether anybody may read a room without being in it. */
export async function isWorldReadable(engine: RoomEngine, room: RoomInfo): Promise<boolean> {
  const [state] = await readNewestState(engine, room, [{ type: 'm.room.history_visibility', stateKey: '' }])
  return state?.stored.content['history_visibility'] === 'world_readable'
}

/** Whether somebody is joined to a room and has the power to send a type of state event there. */
export async function maySendState(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  type: string,
): Promise<boolean> {
  const [create, levels, member] = await readNewestState(engine, room, [
    { type: 'm.room.create', stateKey: '' },
    { type: 'm.room.power_levels', stateKey: '' },
    { type: 'm.room.member', stateKey: userId },
  ])
  if (member?.stored.content['membership'] !== 'join') return false
  const power = powerBy(room.rules, create?.roomEvent, levels?.roomEvent)
  return userLevel(power, userId) >= requiredLevel(power, type, true)
}
