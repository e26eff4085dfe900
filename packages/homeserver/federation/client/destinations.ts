import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  countFailingDestinations,
  deleteFailingDestination,
  findFailingDestination,
  storeFailingDestination,
  type FailingDestination,
} from '@causeway/store/tables/destinations.ts'
import type { Logger } from '../../ops/log.ts'

/** The first wait after a failure, and the longest. */
export const FIRST_WAIT_MS = 10_000
export const MAX_WAIT_MS = 4 * 60 * 60_000
const FACTOR = 2
const MAX_ERROR_LENGTH = 300

/** Which servers do not answer, and when each is to be tried again. Survives restarts. */
export interface Destinations extends AsyncDisposable {
  /** What is known of a server that fails; undefined for one that does not. */
  find(serverName: ServerName): Promise<FailingDestination | undefined>
  /**
   * A request to it, begun at `startedTs`, came to nothing: wait, and longer each time. Requests that were under
   * way together count once.
   */
  failed(serverName: ServerName, startedTs: number, error: string): Promise<void>
  /** It answered, or was heard from. Costs nothing where it did not fail. */
  answered(serverName: ServerName): void
  /** How many fail at present. */
  failing(): number
}

interface Deps {
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly budget: MemoryBudget
  readonly logger: Logger
}

/** The wait after the next failure: doubled, by chance a quarter shorter or longer, so that not all come at once. */
function nextFailure(
  serverName: ServerName,
  before: FailingDestination | undefined,
  error: string,
  { clock, random }: Pick<Deps, 'clock' | 'random'>,
): FailingDestination {
  const now = clock.now()
  const intervalMs = before === undefined ? FIRST_WAIT_MS : Math.min(MAX_WAIT_MS, before.intervalMs * FACTOR)
  const waitMs = Math.round(intervalMs * (0.75 + random.fraction() / 2))
  return {
    serverName,
    failingSinceTs: before?.failingSinceTs ?? now,
    retryTs: now + waitMs,
    intervalMs,
    failures: (before?.failures ?? 0) + 1,
    lastError: error.slice(0, MAX_ERROR_LENGTH),
  }
}

/** Counts what failed before the start, once. */
export async function createDestinations(deps: Deps): Promise<Destinations> {
  const { db, budget, logger } = deps
  /** `null` is known to answer. What is not here is asked of the database. */
  const known = budget.cache<ServerName, FailingDestination | null>({
    name: 'destinations',
    share: 0.005,
    weigh: (one, name) => 2 * name.length + (one === null ? 8 : 150 + 2 * one.lastError.length),
  })
  const flights = createSingleFlight<ServerName, FailingDestination | null>()
  const writes = new Set<Promise<void>>()
  let failing = await countFailingDestinations(db)

  const find = async (serverName: ServerName): Promise<FailingDestination | undefined> => {
    const held = known.get(serverName)
    if (held !== undefined) return held ?? undefined
    const read = await flights.run(serverName, async (isCurrent) => {
      const row = (await findFailingDestination(db, serverName)) ?? null
      if (isCurrent()) known.set(serverName, row)
      return row
    })
    return read ?? undefined
  }
  /** As it is now: while it was read, others may have learnt more. What follows from it is done in the same turn. */
  const latest = (
    serverName: ServerName,
    read: FailingDestination | undefined,
  ): FailingDestination | undefined => {
    const held = known.peek(serverName)
    return held === undefined ? read : (held ?? undefined)
  }
  const write = (step: Step): Promise<void> => {
    const writing = db
      .commit({ entries: [], steps: [step] })
      .then(() => undefined)
      .catch((error: unknown) => logger.warn('the state of a destination was not kept', { error }))
      .finally(() => writes.delete(writing))
    writes.add(writing)
    return writing
  }
  const remember = (serverName: ServerName, state: FailingDestination | null): void => {
    flights.forget(serverName)
    known.set(serverName, state)
  }
  const heal = (serverName: ServerName, before: FailingDestination | undefined): void => {
    if (before === undefined) return
    failing--
    remember(serverName, null)
    // Nobody waits for it: what gets lost in a crash is that a wait is over.
    void write(deleteFailingDestination(serverName))
    logger.info('a server answers again', { server: serverName, failures: before.failures })
  }
  return {
    find,
    async failed(serverName, startedTs, error) {
      const before = latest(serverName, await find(serverName))
      if (before !== undefined && startedTs < before.retryTs) return
      const state = nextFailure(serverName, before, error, deps)
      if (before === undefined) failing++
      remember(serverName, state)
      await write(storeFailingDestination(state))
    },
    answered(serverName) {
      const held = known.peek(serverName)
      if (held !== undefined) heal(serverName, held ?? undefined)
      else {
        const looking = find(serverName)
          .then((read) => heal(serverName, latest(serverName, read)))
          .catch((fault: unknown) => logger.warn('the state of a destination was not read', { error: fault }))
          .finally(() => writes.delete(looking))
        writes.add(looking)
      }
    },
    failing: () => failing,
    async [Symbol.asyncDispose]() {
      while (writes.size > 0) await Promise.all(writes)
    },
  }
}
