import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'

/** No server is asked for its keys again before this; doubled while it brings nothing new. */
const WAIT_MS = 10_000
const MAX_WAIT_ANSWERED_MS = 5 * 60_000
const MAX_WAIT_SILENT_MS = 60 * 60_000
/** Whoever was silent has to wait for so long after the second time; by the third it counts as gone. */
const AWAITED_MS = 2 * WAIT_MS

/** How asking for keys ended: what was wanted is there; the server answered, without it; nobody answered. */
export type KeyOutcome = 'satisfied' | 'answered' | 'silent'

/** Remembers when a server may be asked for its keys again: strangers decide how often we have a reason to. */
export interface KeyAttempts {
  mayAsk(name: ServerName): boolean
  ended(name: ServerName, outcome: KeyOutcome): void
  /** Whether it was silent once or twice in a row, and is worth waiting for. */
  isAwaited(name: ServerName): boolean
}

/** By the monotonic clock. */
interface Attempt {
  readonly nextAt: number
  readonly waitMs: number
  readonly isSilent: boolean
}

export function createKeyAttempts(deps: {
  readonly clock: Clock
  readonly random: Random
  readonly budget: MemoryBudget
}): KeyAttempts {
  const { clock, random, budget } = deps
  const attempts = budget.cache<ServerName, Attempt>({
    name: 'key_fetches',
    share: 0.002,
    weigh: (_attempt, name) => 2 * name.length + 80,
  })
  return {
    mayAsk: (name) => clock.monotonic() >= (attempts.get(name)?.nextAt ?? -Infinity),
    ended(name, outcome) {
      const before = attempts.peek(name)?.waitMs ?? WAIT_MS / 2
      const max = outcome === 'silent' ? MAX_WAIT_SILENT_MS : MAX_WAIT_ANSWERED_MS
      const waitMs = outcome === 'satisfied' ? WAIT_MS : Math.min(max, before * 2)
      const nextAt = clock.monotonic() + waitMs * (0.75 + random.fraction() / 2)
      attempts.set(name, { nextAt, waitMs, isSilent: outcome === 'silent' })
    },
    isAwaited(name) {
      const attempt = attempts.peek(name)
      return attempt?.isSilent === true && attempt.waitMs <= AWAITED_MS
    },
  }
}
