// https://spec.matrix.org/v1.19/client-server-api/#guest-access
import type { RoomEngine } from '../rooms/engine.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

export const GUEST_ACCESS = 'm.room.guest_access'

/** Whether a room lets guests in, as its newest durable event leaves it. Where it does not say, it does not. */
export async function letsGuestsIn(engine: RoomEngine, room: RoomInfo): Promise<boolean> {
  const [state] = await readNewestState(engine, room, [{ type: GUEST_ACCESS, stateKey: '' }])
  return state?.stored.content['guest_access'] === 'can_join'
}
