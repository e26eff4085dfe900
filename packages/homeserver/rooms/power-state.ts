import type { AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import { powerLevelsOf, type PowerLevels } from '@causeway/matrix/event-auth/power-levels.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { RoomEngine } from './engine.ts'
import { stateOf, type RoomWrite } from './room-write.ts'

/** Who has which power by these two events, of which a room may have only the first. */
export function powerBy(
  rules: RoomVersionRules,
  create: RoomEvent | undefined,
  levels: RoomEvent | undefined,
): PowerLevels {
  const state: AuthState = {
    get: (type) => (type === 'm.room.create' ? create : type === 'm.room.power_levels' ? levels : undefined),
  }
  return powerLevelsOf(rules, state)
}

/** Who has which power in the room as it is in a write. */
export async function powerIn(engine: RoomEngine, write: RoomWrite): Promise<PowerLevels> {
  const create = await stateOf(engine, write, 'm.room.create', '')
  const levels = await stateOf(engine, write, 'm.room.power_levels', '')
  return powerBy(write.head.rules, create?.roomEvent, levels?.roomEvent)
}
