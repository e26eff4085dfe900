/** How an attempt at a notification ended. `rejected`: the pusher is gone; `given_up`: the gateway called it wrong. */
export type PushOutcome = 'sent' | 'rejected' | 'given_up' | 'refused' | 'malformed' | 'unreachable' | 'fault'

/** Counts since the process started. */
export interface PushFigures {
  outcome(outcome: PushOutcome): void
  /** Pushers of which all that waited was dropped, since their gateway did not answer for too long. */
  dropped(): void
  readonly outcomes: ReadonlyMap<PushOutcome, number>
  readonly counts: { readonly dropped: number }
}

export function createPushFigures(): PushFigures {
  const outcomes = new Map<PushOutcome, number>()
  const counts = { dropped: 0 }
  return {
    outcome: (outcome) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
    dropped: () => void counts.dropped++,
    outcomes,
    counts,
  }
}
