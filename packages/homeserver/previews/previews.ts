import type { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { createSlots, type Slots } from '@causeway/store/cache/slots.ts'
import { createAddressGuard } from '../outgoing/address-guard.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import type { Resolver } from '../outgoing/resolver.ts'
import type { PreviewConfig } from '../preview-options.ts'
import { createFetcher, type FetchPage } from './fetch-url.ts'

/** Why a page could not be fetched a moment ago. */
export interface RecentFailure {
  readonly error: MatrixError
  /** Of the monotonic clock. */
  readonly until: number
}

/** What those who ask for previews share. One a process. */
export interface Previews extends AsyncDisposable {
  /** By language and address: what many ask for at once is fetched once. */
  readonly flights: SingleFlight<string, string>
  readonly failures: Cache<string, RecentFailure>
  /** How many pages are fetched at the same time. */
  readonly slots: Slots
  readonly fetch: FetchPage
}

export interface PreviewsDeps {
  readonly config: PreviewConfig
  readonly clock: Clock
  readonly budget: MemoryBudget
  readonly resolver: Resolver
  /** Certificate authorities (PEM) that are trusted beside the well-known ones. */
  readonly authorities: readonly string[]
}

const MAX_FETCHES = 20
const MAX_WAITING_FETCHES = 200

/** Costs two shares of the memory budget. */
export function createPreviews(deps: PreviewsDeps): Previews {
  const { config, budget } = deps
  const guard = createAddressGuard(config.allow_private_addresses)
  const outgoing = createOutgoing({ ...deps, guard, option: 'url_previews.allow_private_addresses' })
  const ended = new AbortController()
  const underWay = new Set<Promise<unknown>>()
  const slots = createSlots(MAX_FETCHES, MAX_WAITING_FETCHES)
  return {
    flights: createSingleFlight(),
    failures: budget.cache({
      name: 'preview_failures',
      share: 0.004,
      weigh: (_failure: RecentFailure, key: string) => 600 + 2 * key.length,
    }),
    slots: {
      run: (fn) => {
        const work = slots.run(fn)
        const end = (): void => void underWay.delete(work)
        underWay.add(work)
        work.then(end, end)
        return work
      },
    },
    fetch: createFetcher({ ...deps, outgoing, ended: ended.signal }),
    async [Symbol.asyncDispose]() {
      ended.abort(new Error('The server stops'))
      await Promise.allSettled(underWay)
      outgoing[Symbol.dispose]()
    },
  }
}
