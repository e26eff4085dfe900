import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'

/** The stages this server knows. https://spec.matrix.org/v1.19/client-server-api/#authentication-types */
export type UiaStage =
  | 'm.login.dummy'
  | 'm.login.terms'
  | 'm.login.registration_token'
  | 'm.login.password'
  | 'm.login.email.identity'
  | 'm.login.msisdn'

/** One operation that somebody is about to be allowed: bound to the operation and to whoever began it. */
export interface UiaSession {
  readonly id: string
  /** Name of the operation and what it acts on. */
  readonly operation: string
  /** Whose token began it; empty where nobody is logged in. */
  readonly userId: string
  readonly expiresAt: number
  /** Stages that were completed, with what they proved. */
  readonly completed: Map<UiaStage, JsonValue>
  /** Hash of the request that the first stage was completed with. */
  request: string | undefined
  /** The result, once every stage was completed: for the same request sent again. */
  outcome: { readonly request: string; readonly answer: Promise<JsonObject> } | undefined
}

export interface UiaSessions {
  begin(operation: string, userId: string): UiaSession
  /** The session, or undefined when it is not known (any more) or belongs to another operation or person. */
  find(id: string, operation: string, userId: string): UiaSession | undefined
  size(): number
}

const LIFETIME_MS = 15 * 60_000
/** Of each kind; those of strangers can't push out those of people who are logged in. */
const MAX_SESSIONS = 4_000

/** In memory: after a restart a client is asked to begin again. */
export function createUiaSessions(
  clock: Pick<Clock, 'monotonic'>,
  random: Pick<Random, 'token'>,
): UiaSessions {
  const strangers = new Map<string, UiaSession>()
  const people = new Map<string, UiaSession>()
  const kindOf = (userId: string): Map<string, UiaSession> => (userId === '' ? strangers : people)
  const makeRoom = (sessions: Map<string, UiaSession>, now: number): void => {
    // All live equally long, so the first are the oldest.
    for (const [id, session] of sessions) {
      if (session.expiresAt > now && sessions.size < MAX_SESSIONS) return
      sessions.delete(id)
    }
  }
  return {
    begin(operation, userId) {
      const sessions = kindOf(userId)
      const now = clock.monotonic()
      makeRoom(sessions, now)
      const session: UiaSession = {
        id: random.token(24),
        operation,
        userId,
        expiresAt: now + LIFETIME_MS,
        completed: new Map(),
        request: undefined,
        outcome: undefined,
      }
      sessions.set(session.id, session)
      return session
    },
    find(id, operation, userId) {
      const session = kindOf(userId).get(id)
      if (session === undefined || session.expiresAt <= clock.monotonic()) return undefined
      return session.operation === operation && session.userId === userId ? session : undefined
    },
    size: () => strangers.size + people.size,
  }
}
