import type { Clock, Random } from '@causeway/store/clock/clock.ts'

/** Values good for one use within a minute. */
export interface Nonces {
  issue(): string
  /** Whether it was issued here, lately, and not used: it is used now. */
  use(nonce: string): boolean
}

const LIFETIME_MS = 60_000
const MAX_NONCES = 1_000

export function createNonces(clock: Pick<Clock, 'monotonic'>, random: Pick<Random, 'token'>): Nonces {
  const issued = new Map<string, number>()
  return {
    issue() {
      const nonce = random.token(32)
      issued.set(nonce, clock.monotonic() + LIFETIME_MS)
      if (issued.size > MAX_NONCES) issued.delete(issued.keys().next().value!)
      return nonce
    },
    use(nonce) {
      const expiresAt = issued.get(nonce)
      issued.delete(nonce)
      return expiresAt !== undefined && clock.monotonic() < expiresAt
    },
  }
}
