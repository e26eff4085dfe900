import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'

/** An event as a finding names it. Of one that we do not hold it is what its server signed. */
export interface NamedEvent {
  readonly eventId: EventId
  readonly sender: string
  readonly originServerTs: number
}

/**
 * Why a server has another event for a key of the state than we do: what we know of theirs.
 * `never-received`: it is valid and nobody sent it to us. `waiting`: it waits for what it refers to. `rejected`,
 * `soft-failed`: we refused it. `beside-graph`: we hold it for reference only. `resolved-otherwise`: it is part of the
 * room here, and another one won, or came after it. `invalid`: what they name is no event of this room that verifies.
 * `withheld`: they name it and do not give it. `lacking`: they name none.
 */
export type Why =
  | 'never-received'
  | 'waiting'
  | 'rejected'
  | 'soft-failed'
  | 'beside-graph'
  | 'resolved-otherwise'
  | 'invalid'
  | 'withheld'
  | 'lacking'

/** One key of the state at which we and others part. */
export interface Difference {
  readonly type: string
  readonly stateKey: string
  readonly ours: NamedEvent | undefined
  readonly theirs: NamedEvent | undefined
  readonly why: Why
  /** Of a refused or invalid event. */
  readonly reason: string | undefined
  /** Who says so, */
  readonly servers: readonly ServerName[]
  /** of the state before this event. */
  readonly at: EventId
}

/** How one server's answers compare with what we have. */
export interface ServerFinding {
  readonly server: ServerName
  /** Why it gave no answer. */
  readonly failure: string | undefined
  /** Their newest event. */
  readonly newest: EventId | undefined
  readonly holdNewest: boolean
  /** Events before which the state was compared. */
  readonly comparedAt: readonly EventId[]
  /** Events that only they, or only we, have in the state. */
  readonly onlyTheirs: number
  readonly onlyOurs: number
}

/** Where a room stands here, and where other servers differ. */
export interface RoomFinding {
  readonly roomId: RoomId
  readonly extremities: readonly (NamedEvent & { readonly depth: number })[]
  /** Gaps in the history that we hold. */
  readonly gaps: number
  readonly rejected: number
  readonly softFailed: number
  /** Events that wait for what they refer to. */
  readonly waiting: number
  readonly servers: readonly ServerFinding[]
  readonly differences: readonly Difference[]
  /** Further ones, which were only counted. */
  readonly leftOut: number
}
