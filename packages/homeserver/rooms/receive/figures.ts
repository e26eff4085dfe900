import type { RefusingCheck } from './add-event.ts'

/** What became of what other servers sent, since the start: for metrics. */
export interface ReceiveFigures {
  accepted: number
  known: number
  rejected: number
  softFailed: number
  /** Wrong format, signature, or room: not kept. */
  dropped: number
  /** Kept until what they refer to was fetched. */
  waiting: number
  /** Given up, since nobody had what they refer to. */
  givenUp: number
  stateResets: number
  /** Rejected and soft-failed events by the check that they failed. */
  readonly refused: Record<RefusingCheck, number>
  /** Soft-failed before, and accepted since. */
  acceptedLater: number
}

export function createReceiveFigures(): ReceiveFigures {
  return {
    accepted: 0,
    known: 0,
    rejected: 0,
    softFailed: 0,
    dropped: 0,
    waiting: 0,
    givenUp: 0,
    stateResets: 0,
    refused: { auth_events: 0, state_before: 0, current_state: 0, policy_server: 0 },
    acceptedLater: 0,
  }
}
