import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import type { LimitedAction, PrincipalKind } from '../limits/actions.ts'
import { takeForSession } from '../limits/take-for-session.ts'

/** For operations that count otherwise than by a limit in their declaration. Throws `M_LIMIT_EXCEEDED`. */
export function takeTurn(
  { limiter }: Pick<Homeserver, 'limiter'>,
  action: LimitedAction,
  kind: PrincipalKind,
  principal: string,
): void {
  requireNoWait(limiter.take(action, kind, principal))
}

/** The same for somebody with a session. */
export function takeSessionTurn(
  { limiter }: Pick<Homeserver, 'limiter'>,
  action: LimitedAction,
  session: Session,
): void {
  requireNoWait(takeForSession(limiter, action, session))
}

function requireNoWait(ms: number): void {
  if (ms > 0) throw limitExceeded(ms)
}

/**
 * Whether a request goes on with an interactive authentication of somebody who is not logged in, which was counted when it
 * began: Element asks every two seconds while they read the terms or wait for a mail.
 */
export function goesOn(
  { accounts }: Pick<Homeserver, 'accounts'>,
  operation: string,
  auth: JsonObject | undefined,
): boolean {
  const id = auth?.['session']
  return typeof id === 'string' && accounts.uia.find(id, operation, '') !== undefined
}
