import type { Cache } from '../cache/lru.ts'
import type { Database, Insert, TableShape } from '../db/database.ts'
import type { NewNode, NodeLookup } from './apply.ts'
import { EMPTY_ROOT, decodeNode, encodeNode, slotAt, slotIndex } from './node.ts'
import type { StateNode } from './node.ts'

/** Where the nodes of state trees come from. Nodes never change, so what is held is never outdated. */
export interface NodeSource {
  /** From memory only. */
  peek(roomNid: number, nodeNid: number): StateNode | undefined
  /** All of them, with at most one query for those that are not in memory. Throws when one does not exist. */
  load(roomNid: number, nodeNids: readonly number[]): Promise<ReadonlyMap<number, StateNode>>
}

/** The committed nodes, through a cache. */
export interface NodeStore extends NodeSource {
  /** Keeps nodes that a write has just committed, which saves reading them. */
  remember(roomNid: number, nodes: readonly NewNode[]): void
  /** Lets go of a purged room's nodes: walks the cache. */
  forgetRoom(roomNid: number): void
}

export type NodeCacheKey = number | string

/** From this many on, nodes are read off the calling thread. */
const LARGE_READ = 256
const NODE_BITS = 30

/** One number for room and node; text for a server with over eight million rooms or a room with over a billion nodes. */
function cacheKey(roomNid: number, nodeNid: number): NodeCacheKey {
  const fits = nodeNid < 2 ** NODE_BITS && roomNid < 2 ** (53 - NODE_BITS)
  return fits ? roomNid * 2 ** NODE_BITS + nodeNid : `${roomNid}:${nodeNid}`
}

function roomOf(key: NodeCacheKey): number {
  return typeof key === 'number' ? Math.floor(key / 2 ** NODE_BITS) : Number(key.slice(0, key.indexOf(':')))
}

export const STATE_NODES: TableShape = {
  name: 'state_nodes',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'node_nid', type: 'int' },
    { name: 'data', type: 'bytes' },
  ],
}

/** The row of a new node, for the write that makes it. A number already taken refuses the write. */
export function nodeInsert(roomNid: number, { nodeNid, node }: NewNode): Insert {
  return { into: STATE_NODES, values: [roomNid, nodeNid, encodeNode(node)] }
}

async function readNodes(
  db: Database,
  roomNid: number,
  nodeNids: readonly number[],
): Promise<[number, StateNode][]> {
  const sql = 'SELECT node_nid, data FROM state_nodes WHERE room_nid = ? AND node_nid IN (?int[])'
  const rows = await db[nodeNids.length < LARGE_READ ? 'query' : 'queryLarge'](sql, [roomNid, nodeNids])
  if (rows.length !== nodeNids.length) {
    const found = new Set(rows.map((row) => row['node_nid']))
    const missing = nodeNids.find((nodeNid) => !found.has(nodeNid))
    throw new Error(`State node ${missing} of room ${roomNid} is not in the database`)
  }
  return rows.map((row) => [Number(row['node_nid']), decodeNode(row['data'] as Uint8Array)])
}

/** @param cache `weighNode` weighs its entries. */
export function createNodeStore(db: Database, cache: Cache<NodeCacheKey, StateNode>): NodeStore {
  return {
    peek: (roomNid, nodeNid) => cache.get(cacheKey(roomNid, nodeNid)),
    async load(roomNid, nodeNids) {
      const found = new Map<number, StateNode>()
      const missing = new Set<number>()
      for (const nodeNid of nodeNids) {
        const node = cache.get(cacheKey(roomNid, nodeNid))
        if (node === undefined) missing.add(nodeNid)
        else found.set(nodeNid, node)
      }
      if (missing.size === 0) return found
      for (const [nodeNid, node] of await readNodes(db, roomNid, [...missing])) {
        cache.set(cacheKey(roomNid, nodeNid), node)
        found.set(nodeNid, node)
      }
      return found
    },
    remember(roomNid, nodes) {
      for (const { nodeNid, node } of nodes) cache.set(cacheKey(roomNid, nodeNid), node)
    },
    forgetRoom: (roomNid) => cache.deleteWhere((key) => roomOf(key) === roomNid),
  }
}

/**
 * Nodes of one room that no commit has answered for yet, in front of those that are stored: roots made one on
 * another before the first is committed can be read and changed. It belongs to the room's head and is dropped
 * with it when a write fails, since their numbers are then handed out again.
 */
export interface NodeOverlay extends NodeSource {
  add(nodes: readonly NewNode[]): void
  /** These are committed: from now on they are the store's. */
  settle(nodes: readonly NewNode[]): void
  /** The write that made these is given up: their numbers are handed out again. */
  retract(nodes: readonly NewNode[]): void
  /** Nodes not settled yet. */
  size(): number
}

export function createNodeOverlay(store: NodeStore, roomNid: number): NodeOverlay {
  const pending = new Map<number, StateNode>()
  const pendingOf = (room: number, nodeNid: number): StateNode | undefined =>
    room === roomNid ? pending.get(nodeNid) : undefined
  return {
    peek: (room, nodeNid) => pendingOf(room, nodeNid) ?? store.peek(room, nodeNid),
    async load(room, nodeNids) {
      const own = new Map<number, StateNode>()
      for (const nodeNid of nodeNids) {
        const node = pendingOf(room, nodeNid)
        if (node !== undefined) own.set(nodeNid, node)
      }
      if (own.size === 0) return store.load(room, nodeNids)
      const stored = nodeNids.filter((nodeNid) => !own.has(nodeNid))
      if (stored.length > 0) for (const [nid, node] of await store.load(room, stored)) own.set(nid, node)
      return own
    },
    add: (nodes) => nodes.forEach(({ nodeNid, node }) => pending.set(nodeNid, node)),
    settle(nodes) {
      store.remember(roomNid, nodes)
      for (const { nodeNid } of nodes) pending.delete(nodeNid)
    },
    retract(nodes) {
      for (const { nodeNid } of nodes) pending.delete(nodeNid)
    },
    size: () => pending.size,
  }
}

/**
 * The nodes on the paths from `root` to `keyNids`: a query a level at most, none when all are in memory. Keys
 * beyond the tree have no path.
 */
export async function loadPaths(
  source: NodeSource,
  roomNid: number,
  root: number,
  keyNids: readonly number[],
): Promise<NodeLookup> {
  const nodes = new Map<number, StateNode>()
  let level = new Set(root === EMPTY_ROOT ? [] : [root])
  /** Where each key's path has got to; EMPTY_ROOT when it has ended. */
  const at = keyNids.map(() => root)
  while (level.size > 0) {
    await loadInto(nodes, source, roomNid, level)
    const next = new Set<number>()
    for (let i = 0; i < at.length; i++) {
      const node = at[i] === EMPTY_ROOT ? undefined : nodes.get(at[i]!)
      at[i] = node === undefined ? EMPTY_ROOT : childOnPath(node, keyNids[i]!, at[i] === root)
      if (at[i] !== EMPTY_ROOT) next.add(at[i]!)
    }
    level = next
  }
  return (nodeNid) => nodes.get(nodeNid)
}

function childOnPath(node: StateNode, keyNid: number, isRoot: boolean): number {
  if (node.level === 0 || (isRoot && isBeyond(node, keyNid))) return EMPTY_ROOT
  return slotAt(node, slotIndex(keyNid, node.level)) ?? EMPTY_ROOT
}

/** Whether the tree under this root is too low for the key. */
export function isBeyond(rootNode: StateNode, keyNid: number): boolean {
  return keyNid >= 32 ** (rootNode.level + 1)
}

async function loadInto(
  nodes: Map<number, StateNode>,
  source: NodeSource,
  roomNid: number,
  nodeNids: ReadonlySet<number>,
): Promise<void> {
  const missing: number[] = []
  for (const nodeNid of nodeNids) {
    const node = source.peek(roomNid, nodeNid)
    if (node === undefined) missing.push(nodeNid)
    else nodes.set(nodeNid, node)
  }
  if (missing.length === 0) return
  for (const [nodeNid, node] of await source.load(roomNid, missing)) nodes.set(nodeNid, node)
}
