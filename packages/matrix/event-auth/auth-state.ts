import type { RoomEvent, VerifySignature } from '../events/pdu.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { packStateKey, type StateKey } from './state-key.ts'

/** Whether an event is allowed; if not, why, in a sentence that can be shown to the person who sent it. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** The part of a room's state that event authorisation asks for: what `selectAuthEvents` names, and no more. */
export interface AuthState {
  get(type: string, stateKey: string): RoomEvent | undefined
}

/** What every rule is given. */
export interface AuthContext {
  readonly rules: RoomVersionRules
  readonly event: RoomEvent
  readonly state: AuthState
  readonly create: RoomEvent
  readonly verifySignature: VerifySignature
}

export const ALLOWED: Verdict = { ok: true }

/** A refusal with its reason. */
export function refuse(reason: string): Verdict {
  return { ok: false, reason }
}

/**
 * A state made of events, for authorising against an event's own `auth_events`. In room version 12 the create
 * event has to be added by the caller, since events do not list it. Non-state events are left out.
 */
export function authStateOf(events: Iterable<RoomEvent>): AuthState {
  const byKey = new Map<StateKey, RoomEvent>()
  for (const event of events) {
    const { type, state_key } = event.pdu
    if (state_key !== undefined) byKey.set(packStateKey(type, state_key), event)
  }
  return { get: (type, stateKey) => byKey.get(packStateKey(type, stateKey)) }
}
