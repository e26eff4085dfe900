import type { AuthState } from './auth-state.ts'
import { ownText } from './json-reading.ts'

/** A user's membership at a state; `leave` for who has never been there. */
export function membershipOf(state: AuthState, userId: string): string {
  const event = state.get('m.room.member', userId)
  return event === undefined ? 'leave' : (ownText(event.pdu.content, 'membership') ?? 'leave')
}
