import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'

/** Where other parts of the server take part in what happens to accounts. */
export interface AccountHooks {
  /**
   * Throws `M_EXCLUSIVE` unless the user id may be registered, or logged in to: by an appservice only within its
   * namespaces, by people (no `appserviceId`) only outside of exclusive ones.
   */
  readonly checkUserClaim?: (userId: UserId, appserviceId: string | undefined) => void
  /** What else an account holds beside events and keys, and goes when it is erased: account data, filters. */
  readonly onErased?: (userId: UserId) => readonly Step[]
}
