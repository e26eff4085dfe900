import {
  EMPTY_ROOT,
  MAX_LEVEL,
  MAX_VALUE,
  levelFor,
  nodeFromPlaces,
  placesOf,
  slotAt,
  slotIndex,
} from './node.ts'
import type { StateNode } from './node.ts'

/** A key's new value; undefined removes the key. */
export type StateChange = readonly [keyNid: number, value: number | undefined]

/** A node that no database holds yet. */
export interface NewNode {
  readonly nodeNid: number
  readonly node: StateNode
}

export interface AppliedChanges {
  readonly root: number
  /** Children before parents. Empty when nothing changed; then `root` is the old one. */
  readonly newNodes: readonly NewNode[]
}

/** Looks a node up among those that were loaded. */
export type NodeLookup = (nodeNid: number) => StateNode | undefined

interface Run {
  readonly lookup: NodeLookup
  readonly allocNode: () => number
  /** Sorted by key, one for each. */
  readonly changes: readonly StateChange[]
  readonly newNodes: NewNode[]
}

function nodeOf(lookup: NodeLookup, nodeNid: number): StateNode {
  const node = lookup(nodeNid)
  if (node === undefined) throw new Error(`State node ${nodeNid} is missing`)
  return node
}

function checkChange([keyNid, value]: StateChange): void {
  if (!Number.isSafeInteger(keyNid) || keyNid < 0 || levelFor(keyNid) > MAX_LEVEL) {
    throw new RangeError(`A state key's number cannot be ${keyNid}`)
  }
  if (value !== undefined && (!Number.isSafeInteger(value) || Math.abs(value) > MAX_VALUE)) {
    throw new RangeError(`A state value cannot be ${value}`)
  }
}

/** Sorted by key; of several changes of one key the last one counts. */
function normalize(changes: readonly StateChange[]): StateChange[] {
  const last = new Map<number, StateChange>()
  for (const change of changes) {
    checkChange(change)
    last.set(change[0], change)
  }
  return [...last.values()].sort((a, b) => a[0] - b[0])
}

/** Applies the changes `from` to `to`, all below one node. Returns the number of the node in its place. */
function applyBelow(
  run: Run,
  nodeNid: number,
  view: StateNode | undefined,
  level: number,
  from: number,
  to: number,
): number {
  const places = placesOf(view)
  let changed = false
  for (let at = from; at < to;) {
    const index = slotIndex(run.changes[at]![0], level)
    let end = at + 1
    while (end < to && slotIndex(run.changes[end]![0], level) === index) end++
    const before = places[index]
    const after =
      level === 0 ? run.changes[at]![1] : applyToChild(run, before ?? EMPTY_ROOT, level - 1, at, end)
    changed ||= before !== after
    places[index] = after
    at = end
  }
  if (!changed) return nodeNid
  const node = nodeFromPlaces(level, places)
  if (node === undefined) return EMPTY_ROOT
  const newNid = run.allocNode()
  run.newNodes.push({ nodeNid: newNid, node })
  return newNid
}

function applyToChild(
  run: Run,
  nodeNid: number,
  level: number,
  from: number,
  to: number,
): number | undefined {
  const view = nodeNid === EMPTY_ROOT ? undefined : nodeOf(run.lookup, nodeNid)
  const result = applyBelow(run, nodeNid, view, level, from, to)
  return result === EMPTY_ROOT ? undefined : result
}

/**
 * Levels above the root up to `level`, with the old tree as child 0. The topmost is not made here, because it
 * gets the child for which the tree grows; one in between may be made anew at once when it changes as well.
 */
function raise(
  run: Run,
  root: number,
  rootNode: StateNode | undefined,
  level: number,
): { nodeNid: number; view: StateNode | undefined } {
  let nodeNid = root
  let view = rootNode
  while (view !== undefined && view.level < level) {
    view = { level: view.level + 1, bitmap: 1, slots: [nodeNid] }
    if (view.level === level) break
    nodeNid = run.allocNode()
    run.newNodes.push({ nodeNid, node: view })
  }
  return { nodeNid, view }
}

/** The tree is as low as its greatest key allows, so that equal states have equal shapes whatever came before. */
function lower(run: Run, root: number): number {
  const made = new Map(run.newNodes.map(({ nodeNid, node }) => [nodeNid, node]))
  let low = root
  for (;;) {
    const node = low === EMPTY_ROOT ? undefined : (made.get(low) ?? nodeOf(run.lookup, low))
    if (node === undefined || node.level === 0 || node.bitmap !== 1) return low
    // A node made in this run is the last that was made: its only child came before it.
    if (made.has(low)) run.newNodes.pop()
    low = slotAt(node, 0)!
  }
}

/**
 * A state with changes applied, as a new root that shares all untouched nodes with the old one. Pure:
 * `lookup` must know the nodes on the paths of the changed keys and, when a key is removed, of key 0
 * (`loadPaths`); `allocNode` hands out the room's next free node number.
 */
export function applyLoaded(
  lookup: NodeLookup,
  root: number,
  changes: readonly StateChange[],
  allocNode: () => number,
): AppliedChanges {
  const sorted = normalize(changes)
  const rootNode = root === EMPTY_ROOT ? undefined : nodeOf(lookup, root)
  const greatestSet = sorted.findLast(([, value]) => value !== undefined)?.[0]
  const level = Math.max(rootNode?.level ?? 0, greatestSet === undefined ? 0 : levelFor(greatestSet))
  // What lies beyond the tree and is not set is not there: its removal changes nothing.
  const within = sorted.filter(([keyNid]) => levelFor(keyNid) <= level)
  const run: Run = { lookup, allocNode, changes: within, newNodes: [] }
  const raised = raise(run, root, rootNode, level)
  const made = new Map(run.newNodes.map((entry) => [entry.nodeNid, entry.node]))
  const withRaised: Run = { ...run, lookup: (nodeNid) => made.get(nodeNid) ?? lookup(nodeNid) }
  const newRoot = applyBelow(withRaised, raised.nodeNid, raised.view, level, 0, within.length)
  return { root: lower(run, newRoot), newNodes: run.newNodes }
}
