import { applyLoaded } from './apply.ts'
import type { AppliedChanges, NodeLookup, StateChange } from './apply.ts'
import { EMPTY_ROOT, forEachSlot, slotAt, slotIndex } from './node.ts'
import type { StateNode } from './node.ts'
import { isBeyond, loadPaths } from './node-source.ts'
import type { NodeSource } from './node-source.ts'

/** One key of a state and its value. */
export type StateItem = readonly [keyNid: number, value: number]

/** Leaves that `listState` reads at a time: up to 8,192 keys. */
const LEAVES_AT_A_TIME = 256

function valueOf(lookup: NodeLookup, root: number, keyNid: number): number | undefined {
  let node = root === EMPTY_ROOT ? undefined : lookup(root)
  if (node === undefined || isBeyond(node, keyNid)) return undefined
  while (node !== undefined) {
    const slot = slotAt(node, slotIndex(keyNid, node.level))
    if (node.level === 0 || slot === undefined) return slot
    node = lookup(slot)
  }
  return undefined
}

/** The value of one key in the state of `root`; undefined when the key is not set. Touches a node a level. */
export async function readState(
  source: NodeSource,
  roomNid: number,
  root: number,
  keyNid: number,
): Promise<number | undefined> {
  return valueOf(await loadPaths(source, roomNid, root, [keyNid]), root, keyNid)
}

/** The values of several keys, in their order; a query a level at most, however many keys. */
export async function getMany(
  source: NodeSource,
  roomNid: number,
  root: number,
  keyNids: readonly number[],
): Promise<(number | undefined)[]> {
  const lookup = await loadPaths(source, roomNid, root, keyNids)
  return keyNids.map((keyNid) => valueOf(lookup, root, keyNid))
}

/**
 * The whole state in the order of keys, in portions: what is in memory at a time is one portion and the inner
 * nodes (a thirty-second of the leaves).
 */
export async function* listState(
  source: NodeSource,
  roomNid: number,
  root: number,
): AsyncGenerator<StateItem[]> {
  if (root === EMPTY_ROOT) return
  const rootNode = (await source.load(roomNid, [root])).get(root)!
  let nids = [root]
  let firsts = [0]
  for (let level = rootNode.level; level > 0; level--) {
    const nodes = await source.load(roomNid, nids)
    const nextNids: number[] = []
    const nextFirsts: number[] = []
    nids.forEach((nid, i) =>
      forEachSlot(nodes.get(nid)!, (index, child) => {
        nextNids.push(child)
        nextFirsts.push(firsts[i]! + index * 32 ** level)
      }),
    )
    nids = nextNids
    firsts = nextFirsts
  }
  for (let at = 0; at < nids.length; at += LEAVES_AT_A_TIME) {
    const portion = nids.slice(at, at + LEAVES_AT_A_TIME)
    const leaves = await source.load(roomNid, portion)
    yield portion.flatMap((nid, i) => itemsOf(leaves.get(nid)!, firsts[at + i]!))
  }
}

function itemsOf(leaf: StateNode, first: number): StateItem[] {
  const items: StateItem[] = []
  forEachSlot(leaf, (index, value) => void items.push([first + index, value]))
  return items
}

/**
 * A state with keys set and removed, as a new root and the nodes that it adds: the changed paths, shared by
 * all changes of the batch. The nodes go into the room's overlay and, by `nodeInsert`, into the write. No
 * change in effect gives the old root and no nodes.
 * @param changes of several changes of one key the last counts.
 * @param allocNode hands out the room's next node number, from 1, never one twice.
 */
export async function applyChanges(
  source: NodeSource,
  roomNid: number,
  root: number,
  changes: readonly StateChange[],
  allocNode: () => number,
): Promise<AppliedChanges> {
  const keyNids = changes.map(([keyNid]) => keyNid)
  // The tree may become lower by a removal: whether it does is seen along its first path.
  if (changes.some(([, value]) => value === undefined)) keyNids.push(0)
  return applyLoaded(await loadPaths(source, roomNid, root, keyNids), root, changes, allocNode)
}
