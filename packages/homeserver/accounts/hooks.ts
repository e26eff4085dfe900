import type { UserId } from '@causeway/matrix/ids/ids.ts'

/** Where other parts of the server take part in what happens to accounts. */
export interface AccountHooks {
  /**
   * Throws `M_EXCLUSIVE` unless the user id may be registered, or logged in to: by an appservice only within its
   * namespaces, by people (no `appserviceId`) only outside of exclusive ones.
   */
  readonly checkUserClaim?: (userId: UserId, appserviceId: string | undefined) => void
}
