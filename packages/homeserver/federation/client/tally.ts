import type { FederationFailure } from '../federation-client.ts'

/** How a request to another server ended; abandoned: whoever asked gave up. */
export type Outcome = 'ok' | 'abandoned' | FederationFailure['kind']

/** What was asked of other servers since the start, by how it ended: names of servers are no labels, being endless. */
export interface FederationTally {
  readonly requests: Readonly<Record<Outcome, number>>
  /** Requests under way. */
  readonly waiting: number
}

export interface Counting extends FederationTally {
  begin(): void
  end(outcome: Outcome): void
}

export function createTally(): Counting {
  const requests: Record<Outcome, number> = {
    ok: 0,
    abandoned: 0,
    refused: 0,
    malformed: 0,
    unreachable: 0,
    'backing-off': 0,
  }
  let waiting = 0
  return {
    requests,
    get waiting() {
      return waiting
    },
    begin: () => void waiting++,
    end: (outcome) => {
      waiting--
      requests[outcome]++
    },
  }
}
