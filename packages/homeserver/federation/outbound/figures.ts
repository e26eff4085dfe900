import type { FederationFailure } from '../federation-client.ts'

/** How an attempt at a transaction ended. `fault`: ours; `given_up`: the server called it wrong too often. */
export type SendOutcome = 'ok' | 'given_up' | 'fault' | FederationFailure['kind']

/** Counts since the process started. */
export interface OutboundFigures {
  outcome(outcome: SendOutcome): void
  sent(pdus: number, edus: number): void
  /** Events that another server answered it did not accept. */
  refused(pdus: number): void
  readonly outcomes: ReadonlyMap<SendOutcome, number>
  readonly counts: { readonly pdus: number; readonly edus: number; readonly refused: number }
}

export function createOutboundFigures(): OutboundFigures {
  const outcomes = new Map<SendOutcome, number>()
  const counts = { pdus: 0, edus: 0, refused: 0 }
  return {
    outcome: (outcome) => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
    sent(pdus, edus) {
      counts.pdus += pdus
      counts.edus += edus
    },
    refused(pdus) {
      counts.refused += pdus
    },
    outcomes,
    counts,
  }
}
