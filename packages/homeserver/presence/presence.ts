import type { UserId } from '@causeway/matrix/ids/ids.ts'

export type PresenceState = 'online' | 'unavailable' | 'offline'

/** Who is there: volatile, kept for as long as the process lives. https://spec.matrix.org/v1.19/client-server-api/#presence */
export interface Presence {
  /** A client polls `/sync`, and says what it makes of its user. Costs no query and wakes nobody when nothing changes. */
  noteSync(userId: UserId, state: PresenceState): void
}
