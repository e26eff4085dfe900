import type { EventId } from '../ids/ids.ts'
import type { AuthGraph } from './auth-graph.ts'
import type { ConflictedKey } from './state-map.ts'

/**
 * Events that are in the auth chain of some state set and not in that of every other, as far as the conflicted events
 * tell: ∪ Cᵢ − ∩ Cᵢ over the chains of the conflicted part of each set. What the unconflicted state reaches is in
 * every chain and has to be taken out by the caller. Each event carries one bit per set, handed down once along each
 * edge: O((V + E) · sets / 32). https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export function findAuthDifference(
  graph: AuthGraph,
  conflicted: readonly ConflictedKey[],
  setCount: number,
): readonly EventId[] {
  const words = Math.ceil(setCount / 32)
  // `inSet`: the event is part of the set; `inChain`: it is in the set's auth chain.
  const inSet = new Uint32Array(graph.ids.length * words)
  const inChain = new Uint32Array(graph.ids.length * words)
  for (const { eventIds } of conflicted) {
    for (const [set, id] of eventIds.entries()) {
      if (id !== undefined) inSet[graph.indexes.get(id)! * words + (set >>> 5)]! |= 1 << (set & 31)
    }
  }
  for (const index of graph.newestFirst) {
    for (const authIndex of graph.authEvents[index]!) {
      for (let word = 0; word < words; word++) {
        const bits = inSet[index * words + word]! | inChain[index * words + word]!
        inChain[authIndex * words + word]! |= bits
      }
    }
  }
  return graph.ids.filter((_, index) => {
    const count = countBits(inChain.subarray(index * words, (index + 1) * words))
    return count > 0 && count < setCount
  })
}

function countBits(words: Uint32Array): number {
  let count = 0
  for (let bits of words) {
    for (; bits !== 0; count++) bits &= bits - 1
  }
  return count
}

/**
 * Events on a path of auth edges from one conflicted event to another, both ends included (room version 12 and later).
 * Every event of the graph is reached from a conflicted one, since the walk began there; so the question is which
 * reach one. One pass from the oldest, O(V + E). https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export function findConflictedSubgraph(
  graph: AuthGraph,
  conflictedIds: ReadonlySet<EventId>,
): readonly EventId[] {
  const reaches = new Uint8Array(graph.ids.length)
  for (const index of graph.newestFirst.toReversed()) {
    const isEnd = conflictedIds.has(graph.ids[index]!)
    if (isEnd || graph.authEvents[index]!.some((authIndex) => reaches[authIndex] === 1)) reaches[index] = 1
  }
  return graph.ids.filter((_, index) => reaches[index] === 1)
}
