import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'

export type PresenceState = 'online' | 'unavailable' | 'offline'

/** What others are shown of a user. */
export interface UserPresence {
  readonly state: PresenceState
  readonly statusMsg: string | undefined
  /** When the user last did something, by the wall clock; undefined when not since the process started. */
  readonly lastActive: number | undefined
  /** As another server says; undefined: to be seen from `lastActive`. */
  readonly currentlyActive?: boolean | undefined
  /** Position in the volatile stream of the last change that others are told. */
  readonly changedAt: number
}

/** What another server says of one of its users. */
export interface HeardPresence {
  readonly state: PresenceState
  readonly statusMsg: string | undefined
  /** Milliseconds since the user last did something. */
  readonly lastActiveAgo: number | undefined
  readonly currentlyActive: boolean
}

/** Who is there: volatile, kept for as long as the process lives. https://spec.matrix.org/v1.19/client-server-api/#presence */
export interface Presence {
  /**
   * A client polls `/sync`, and says what it makes of its user. Costs no query and wakes nobody when nothing
   * changes. What several devices say is put together: online on any of them is online.
   */
  noteSync(userId: UserId, state: PresenceState, deviceId?: DeviceId): void
  /** The user did something: sent, read, typed. */
  noteActive(userId: UserId): void
  /** The user says so; holds until one of their devices says otherwise. */
  set(userId: UserId, state: PresenceState, statusMsg: string | undefined): void
  /** Another server says so of a user of its own, who shares a room with one of ours. */
  hear(userId: UserId, heard: HeardPresence): Promise<void>
  of(userId: UserId): UserPresence | undefined
  /** Users whose presence changed after a position of the volatile stream; all that are known when it is old. */
  changedSince(volatile: number): readonly UserId[]
  /** Everybody who is not offline. */
  present(): readonly UserId[]
}

/** Time after an action during which a user counts as active, in milliseconds. */
export const ACTIVE_MS = 60_000
