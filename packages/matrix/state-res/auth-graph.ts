import type { EventId } from '../ids/ids.ts'
import type { Pause } from './state-difference.ts'
import { MissingEventsError, type EventCache } from './event-source.ts'

/** Events and their auth chains, numbered for speed. */
export interface AuthGraph {
  readonly ids: readonly EventId[]
  readonly indexes: ReadonlyMap<EventId, number>
  /** For each event the numbers of its auth events. */
  readonly authEvents: readonly (readonly number[])[]
  /** All numbers, each event before its own auth events. */
  readonly newestFirst: readonly number[]
}

/** An auth chain longer than the caller is ready to walk. */
export class AuthChainTooLongError extends Error {
  constructor(limit: number) {
    super(`State cannot be resolved: the auth chain has more than ${limit} events`)
    this.name = 'AuthChainTooLongError'
  }
}

/**
 * Walks the auth chains of some events, one call to the source per generation. O(V + E) over the chain; a cycle, which
 * only ids of room versions 1 and 2 could form, is walked once like everything else.
 * @throws AuthChainTooLongError, MissingEventsError
 */
export async function walkAuthGraph(
  roots: Iterable<EventId>,
  cache: EventCache,
  limit: number,
  pause?: Pause,
): Promise<AuthGraph> {
  const ids: EventId[] = [...new Set(roots)]
  const indexes = new Map(ids.map((id, index) => [id, index]))
  const authEvents: number[][] = []
  const known = new Map<EventId, readonly EventId[]>()
  // `ids` grows as edges are followed, and is the queue of the walk at the same time.
  while (authEvents.length < ids.length) {
    if (ids.length > limit) throw new AuthChainTooLongError(limit)
    await pause?.()
    await readEdges(ids.slice(authEvents.length), cache, known)
    while (authEvents.length < ids.length) {
      const edges = known.get(ids[authEvents.length]!)
      if (edges === undefined) break
      const turn = pause?.()
      if (turn !== undefined) await turn
      authEvents.push(edges.map((id) => numberOf(id, ids, indexes)))
    }
  }
  return { ids, indexes, authEvents, newestFirst: sortNewestFirst(ids, authEvents) }
}

function numberOf(id: EventId, ids: EventId[], indexes: Map<EventId, number>): number {
  const known = indexes.get(id)
  if (known !== undefined) return known
  const index = ids.push(id) - 1
  indexes.set(id, index)
  return index
}

async function readEdges(
  frontier: readonly EventId[],
  cache: EventCache,
  known: Map<EventId, readonly EventId[]>,
): Promise<void> {
  const unknown = frontier.filter((id) => !known.has(id))
  if (unknown.length === 0) return
  if (cache.source.getAuthEdges === undefined) {
    await cache.load(unknown)
    for (const id of unknown) known.set(id, [...new Set(cache.get(id).authEventIds)])
    return
  }
  for (const [id, edges] of await cache.source.getAuthEdges(unknown)) known.set(id, [...new Set(edges)])
  const missing = unknown.filter((id) => !known.has(id))
  if (missing.length > 0) throw new MissingEventsError(missing)
}

/** Kahn's algorithm, O(V + E). What is left over lies on a cycle and follows in the order of ids. */
function sortNewestFirst(
  ids: readonly EventId[],
  authEvents: readonly (readonly number[])[],
): readonly number[] {
  const citers = new Uint32Array(ids.length)
  for (const edges of authEvents) for (const index of edges) citers[index]!++
  const order: number[] = []
  for (let index = 0; index < ids.length; index++) if (citers[index] === 0) order.push(index)
  for (let at = 0; at < order.length; at++) {
    for (const index of authEvents[order[at]!]!) if (--citers[index]! === 0) order.push(index)
  }
  if (order.length === ids.length) return order
  const left = [...citers.keys()].filter((index) => citers[index]! > 0)
  return [...order, ...left.sort((a, b) => (ids[a]! < ids[b]! ? -1 : 1))]
}
