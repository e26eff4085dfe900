import { EMPTY_ROOT, slotAt } from './node.ts'
import type { StateNode } from './node.ts'
import type { NodeSource } from './node-source.ts'

/** A key whose value is not the same in two states; undefined where it is not set. */
export interface StateDifference {
  readonly keyNid: number
  readonly before: number | undefined
  readonly after: number | undefined
}

/** Two subtrees over the same keys, from `first` on. */
interface Pair {
  readonly before: StateNode | undefined
  readonly after: StateNode | undefined
  readonly first: number
}

/** A pair that is not loaded: node numbers, which differ. */
interface PairToLoad {
  readonly before: number
  readonly after: number
  readonly first: number
}

async function loadPairs(source: NodeSource, roomNid: number, pairs: readonly PairToLoad[]): Promise<Pair[]> {
  const nids = new Set(pairs.flatMap(({ before, after }) => [before, after]))
  nids.delete(EMPTY_ROOT)
  const nodes = await source.load(roomNid, [...nids])
  return pairs.map(({ before, after, first }) => ({
    before: nodes.get(before),
    after: nodes.get(after),
    first,
  }))
}

/** Calls `visit` for each of the 32 places in which the two differ. */
function forEachDifference(
  { before, after }: Pair,
  visit: (index: number, before: number | undefined, after: number | undefined) => void,
): void {
  for (let bits = (before?.bitmap ?? 0) | (after?.bitmap ?? 0); bits !== 0; bits &= bits - 1) {
    const index = 31 - Math.clz32(bits & -bits)
    const old = before && slotAt(before, index)
    const now = after && slotAt(after, index)
    if (old !== now) visit(index, old, now)
  }
}

/** The lower tree of two as child 0 of a node as high as the other; it exists for this comparison only. */
function raise(node: StateNode | undefined, nodeNid: number, level: number): StateNode | undefined {
  if (node === undefined || node.level === level) return node
  return { level, bitmap: 1, slots: [nodeNid] }
}

/**
 * What changed from one state to another, in the order of keys. Costs the difference: subtrees with the same
 * number are skipped, so that d keys that differ touch at most d paths of each tree.
 */
export async function diffStates(
  source: NodeSource,
  roomNid: number,
  rootBefore: number,
  rootAfter: number,
): Promise<StateDifference[]> {
  if (rootBefore === rootAfter) return []
  const [roots] = await loadPairs(source, roomNid, [{ before: rootBefore, after: rootAfter, first: 0 }])
  const low = { before: rootBefore, after: rootAfter }
  let level = Math.max(roots!.before?.level ?? 0, roots!.after?.level ?? 0)
  let pairs = [roots!]
  const lift = (pair: Pair): Pair => ({
    ...pair,
    before: raise(pair.before, low.before, level),
    after: raise(pair.after, low.after, level),
  })
  for (; level > 0; level--) {
    // Only the first pair can hold a lower tree's root: it covers the keys from 0.
    if (pairs[0]?.first === 0) pairs[0] = lift(pairs[0])
    const next: PairToLoad[] = []
    for (const pair of pairs) {
      forEachDifference(pair, (index, before, after) =>
        next.push({
          before: before ?? EMPTY_ROOT,
          after: after ?? EMPTY_ROOT,
          first: pair.first + index * 32 ** level,
        }),
      )
    }
    pairs = await loadPairs(source, roomNid, next)
  }
  const differences: StateDifference[] = []
  for (const pair of pairs) {
    forEachDifference(pair, (index, before, after) =>
      differences.push({ keyNid: pair.first + index, before, after }),
    )
  }
  return differences
}
