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
  }
}
