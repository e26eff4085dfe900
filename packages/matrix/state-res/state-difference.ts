import type { StateKeyPair } from '../event-auth/state-key.ts'
import type { VerifySignature } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import type { EventCache } from './event-source.ts'
import type { ConflictedKey } from './state-map.ts'

/** How the state sets differ, and how to ask about what they have in common, which is never listed here. */
export interface StateDifference {
  /** How many state sets there are. */
  readonly setCount: number
  /** Every key on which the sets do not all have the same event, once. */
  readonly conflicted: readonly ConflictedKey[]
  /** What all sets have under these keys, in the same order; undefined where they have nothing or differ. */
  readUnconflicted(keys: readonly StateKeyPair[]): Promise<readonly (EventId | undefined)[]>
  /**
   * Those of these events that are in the auth chain of at least one unconflicted state event. Asked at most once per
   * resolution (v2 and v2.1), about candidates for the auth difference. `unconflicted-reach.ts` has two ways to
   * answer: up from the candidates, at the cost of the difference, or down from the whole unconflicted state.
   */
  findReachedFromUnconflicted(ids: readonly EventId[]): Promise<ReadonlySet<EventId>>
}

/** Asked again and again in the midst of long work: a promise to be awaited when it is others' turn. */
export type Pause = () => Promise<void> | undefined

/** Cryptography and limits, which this package leaves to its callers. */
export interface ResolveTools {
  readonly verifySignature: VerifySignature
  /** SHA-1 over UTF-8 as lower-case hex: room version 1 orders by it. */
  readonly sha1: (text: string) => string
  /** Longest auth chain to walk, in events; 500,000 unless told. */
  readonly maxAuthChain?: number
  /** Without it everything is done in one go. */
  readonly pause?: Pause
}

/** What the two algorithms are given. */
export interface Resolution {
  readonly rules: RoomVersionRules
  readonly difference: StateDifference
  readonly cache: EventCache
  readonly tools: ResolveTools
}
