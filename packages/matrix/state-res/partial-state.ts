import type { AuthState } from '../event-auth/auth-state.ts'
import { packStateKey, type StateKey } from '../event-auth/state-key.ts'
import type { RoomEvent } from '../events/pdu.ts'

/** State under resolution: what was applied so far over a starting state that is not copied. */
export interface PartialState {
  readonly applied: ReadonlyMap<StateKey, RoomEvent>
  readonly find: (type: string, stateKey: string) => RoomEvent | undefined
  readonly apply: (event: RoomEvent) => void
}

/** A state to apply events to. `start` holds as much of the starting state as authorisation may ask for. */
export function createPartialState(start: ReadonlyMap<StateKey, RoomEvent>): PartialState {
  const applied = new Map<StateKey, RoomEvent>()
  return {
    applied,
    find(type, stateKey) {
      const key = packStateKey(type, stateKey)
      return applied.get(key) ?? start.get(key)
    },
    apply(event) {
      applied.set(packStateKey(event.pdu.type, event.pdu.state_key ?? ''), event)
    },
  }
}

/** The state with an event's own auth events where it has nothing, as the iterative auth checks want it. O(1). */
export function withAuthEvents(state: PartialState, authEvents: readonly RoomEvent[]): AuthState {
  return {
    get: (type, stateKey) =>
      state.find(type, stateKey) ??
      authEvents.find(({ pdu }) => pdu.type === type && pdu.state_key === stateKey),
  }
}
