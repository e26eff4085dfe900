import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { forgetRemovedBefore } from '@causeway/store/tables/account-data.ts'
import { deleteClientTransactionsBefore } from '@causeway/store/tables/events.ts'
import { deleteExpiredOpenIdTokens } from '@causeway/store/tables/openid-tokens.ts'
import {
  forgetOldestOf,
  forgetReceivedMessages,
  listOverfullOrigins,
} from '@causeway/store/tables/received-messages.ts'
import type { Logger } from './log.ts'

/** Something that has to be done now and then, in small portions. */
export interface Chore {
  readonly name: string
  readonly everyMs: number
  run(): Promise<void>
}

const HOUR_MS = 3_600_000
/** Answers to idempotent requests are kept at least a day; twice that leaves room for clients that were off. */
const TRANSACTIONS_KEPT_MS = 48 * HOUR_MS
const PORTION = 5_000

/** Forgets old answers to idempotent requests, a portion at a time so that no commit gets long. */
export function forgetOldTransactions({ db, clock }: { db: Database; clock: Clock }): Chore {
  return {
    name: 'forget old transactions',
    everyMs: HOUR_MS,
    run: async () => {
      const before = clock.now() - TRANSACTIONS_KEPT_MS
      while ((await deleteClientTransactionsBefore(db, before, PORTION)) === PORTION) await clock.sleep(50)
    },
  }
}

/** Forgets tokens that prove to others who somebody is, once they have expired. */
export function forgetOpenIdTokens({ db, clock }: { db: Database; clock: Clock }): Chore {
  return {
    name: 'forget OpenID tokens',
    everyMs: HOUR_MS,
    run: async () => {
      while ((await deleteExpiredOpenIdTokens(db, clock.now(), PORTION)) === PORTION) await clock.sleep(50)
    },
  }
}

/** For so long a client that was off is still told that a piece of account data was removed. */
const REMOVED_KEPT_MS = 90 * 24 * HOUR_MS

/** Forgets that account data was removed, once clients have had the time to hear of it. */
export function forgetRemovedAccountData({ db, clock }: { db: Database; clock: Clock }): Chore {
  return {
    name: 'forget removed account data',
    everyMs: HOUR_MS,
    run: async () => {
      const before = clock.now() - REMOVED_KEPT_MS
      while ((await forgetRemovedBefore(db, before, PORTION)) === PORTION) await clock.sleep(50)
    },
  }
}

/** Servers repeat a transaction for days when its answer was lost; for so long a message is known again. */
const MESSAGE_IDS_KEPT_MS = 7 * 24 * HOUR_MS
/** Of one server. */
const MAX_MESSAGE_IDS = 200_000

/** Forgets the ids of messages between devices that came long ago, and of a server that sends too many. */
export function forgetReceivedIds({ db, clock }: { db: Database; clock: Clock }): Chore {
  return {
    name: 'forget ids of received messages',
    everyMs: HOUR_MS,
    run: async () => {
      const before = clock.now() - MESSAGE_IDS_KEPT_MS
      while ((await forgetReceivedMessages(db, before, PORTION)) === PORTION) await clock.sleep(50)
      for (const { origin, count } of await listOverfullOrigins(db, MAX_MESSAGE_IDS)) {
        for (let left = count - MAX_MESSAGE_IDS; left > 0; left -= PORTION) {
          await db.commit({ entries: [], steps: [forgetOldestOf(origin, Math.min(left, PORTION))] })
          await clock.sleep(50)
        }
      }
    },
  }
}

/** Does each chore at its interval until it is disposed of. A chore that fails is logged and tried again. */
export function startHousekeeping(
  chores: readonly Chore[],
  { clock, logger }: { clock: Clock; logger: Logger },
): AsyncDisposable {
  const timers = new Map<Chore, Timer>()
  const underWay = new Set<Promise<void>>()
  let stopped = false
  const schedule = (chore: Chore): void => {
    if (!stopped)
      timers.set(
        chore,
        clock.setTimeout(() => start(chore), chore.everyMs, { unref: true }),
      )
  }
  const start = (chore: Chore): void => {
    const work = chore
      .run()
      .catch((error: unknown) => logger.error('a chore failed', { chore: chore.name, error }))
      .finally(() => {
        underWay.delete(work)
        schedule(chore)
      })
    underWay.add(work)
  }
  for (const chore of chores) schedule(chore)
  return {
    async [Symbol.asyncDispose]() {
      stopped = true
      for (const timer of timers.values()) timer.cancel()
      await Promise.all(underWay)
    },
  }
}
