import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { countFilters, findFilter, insertFilter } from '@causeway/store/tables/filters.ts'
import { hash } from 'node:crypto'
import type { Homeserver } from '../homeserver.ts'
import { compileSyncFilter, type SyncFilter } from './filter.ts'
import type { StoredFilters } from './stored-filters.ts'

interface Held {
  readonly filter: SyncFilter
  readonly bytes: number
}

/** Filters that one user may store: clients need one or two. */
const MAX_FILTERS = 1_000

/** The id follows from the definition: the same filter is stored once. Never begins with `{`, as inline ones do. */
function idOf(definition: JsonObject): string {
  return hash('sha256', canonicalJson(definition), 'base64url').slice(0, 20)
}

/** Keeps the filters that are in use compiled, in its share of the memory budget. */
export function createStoredFilters(hs: Pick<Homeserver, 'db' | 'log' | 'budget'>): StoredFilters {
  const cache = hs.budget.cache<string, Held>({
    name: 'filters',
    share: 0.01,
    weigh: ({ bytes }, key) => bytes + 2 * key.length,
  })
  const keyOf = (userId: UserId, filterId: string): string => `${userId} ${filterId}`
  const read = async (userId: UserId, filterId: string): Promise<string> => {
    const definition = await findFilter(hs.db, userId, filterId)
    if (definition === undefined) throw notFound('You have no filter with this id; upload it again')
    return definition
  }
  return {
    async get(userId, filterId) {
      const held = cache.get(keyOf(userId, filterId))
      if (held !== undefined) return held.filter
      const definition = await read(userId, filterId)
      const filter = compileSyncFilter(JSON.parse(definition) as JsonObject)
      cache.set(keyOf(userId, filterId), { filter, bytes: 2_000 + 8 * definition.length })
      return filter
    },
    async definition(userId, filterId) {
      return JSON.parse(await read(userId, filterId)) as JsonObject
    },
    async add(userId, definition) {
      compileSyncFilter(definition)
      const filterId = idOf(definition)
      if ((await findFilter(hs.db, userId, filterId)) !== undefined) return filterId
      if ((await countFilters(hs.db, userId)) >= MAX_FILTERS) {
        throw invalidParam(
          `You have stored ${MAX_FILTERS} filters; use one of them, or send the filter inline`,
        )
      }
      await hs.log.append({
        entries: [],
        steps: [insertFilter(userId, filterId, JSON.stringify(definition))],
      })
      return filterId
    },
  }
}
