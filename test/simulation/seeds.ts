/** Seeds that found a fault once, and what it was: run every time. */
export const FIXED_SEEDS: readonly (readonly [seed: string, found: string])[] = [
  [
    '9',
    'a server that refuses get_missing_events held up all that waits in a room, and was asked without end',
  ],
]

/** How many further seeds are part of `npm test`, beginning with 1. */
export const TEST_SEEDS = 100
