import type { Database, Statement } from '../db/database.ts'
import { EMPTY_ROOT, decodeNode } from './node.ts'

export interface CollectOptions {
  /** Rows that one step reads, or numbers that it deletes: its bound in time and memory. */
  readonly budget: number
  /**
   * Roots in use beside those of the events held: of the room's head and of writes not answered yet. Taken
   * inside the room's queue, together with `below`.
   */
  readonly roots: readonly number[]
  /** The room's next node number: nodes from there on are made while this runs, and are left alone. */
  readonly below: number
}

/** What has been done so far; yielded after each step. */
export interface CollectProgress {
  readonly phase: 'mark' | 'sweep'
  readonly marked: number
  readonly deleted: number
}

/** One bit a node number: a room with a million nodes takes 125 kB while it is collected. */
class Marks {
  readonly #bits: Uint8Array
  count = 0

  constructor(below: number) {
    this.#bits = new Uint8Array(Math.ceil(below / 8))
  }

  has(nodeNid: number): boolean {
    return ((this.#bits[Math.floor(nodeNid / 8)] ?? 0) & (1 << (nodeNid % 8))) !== 0
  }

  /** Whether it was not marked before. */
  add(nodeNid: number): boolean {
    if (this.has(nodeNid)) return false
    this.#bits[Math.floor(nodeNid / 8)]! |= 1 << (nodeNid % 8)
    this.count++
    return true
  }
}

/** Number ranges of nodes that exist but are not marked, among at most `limit` rows after `after`. */
async function findGarbage(
  db: Database,
  roomNid: number,
  marks: Marks,
  range: { after: number; below: number; limit: number },
): Promise<{ runs: [number, number][]; garbage: number; last: number | undefined }> {
  const rows = await db.query(
    'SELECT node_nid FROM state_nodes WHERE room_nid = ? AND node_nid > ? AND node_nid < ? ORDER BY node_nid LIMIT ?',
    [roomNid, range.after, range.below, range.limit],
  )
  const runs: [number, number][] = []
  let garbage = 0
  let open: [number, number] | undefined
  for (const row of rows) {
    const nodeNid = Number(row['node_nid'])
    if (marks.has(nodeNid)) {
      open = undefined
      continue
    }
    garbage++
    if (open === undefined) runs.push((open = [nodeNid, nodeNid]))
    else open[1] = nodeNid
  }
  return { runs, garbage, last: rows.length === 0 ? undefined : Number(rows.at(-1)!['node_nid']) }
}

function deleteRun(roomNid: number, [from, to]: [number, number]): Statement {
  return {
    sql: 'DELETE FROM state_nodes WHERE room_nid = ? AND node_nid >= ? AND node_nid <= ?',
    params: [roomNid, from, to],
  }
}

/** The children of inner nodes; those of the lowest inner level are leaves, which need not be read. */
async function readChildren(
  db: Database,
  roomNid: number,
  nodeNids: readonly number[],
): Promise<{ child: number; isLeaf: boolean }[]> {
  const rows = await db.query('SELECT data FROM state_nodes WHERE room_nid = ? AND node_nid IN (?int[])', [
    roomNid,
    nodeNids,
  ])
  return rows.flatMap((row) => {
    const node = decodeNode(row['data'] as Uint8Array)
    return node.level === 0 ? [] : node.slots.map((child) => ({ child, isLeaf: node.level === 1 }))
  })
}

/** The roots of a portion of the room's events, by number. */
async function readRoots(
  db: Database,
  roomNid: number,
  after: number,
  limit: number,
): Promise<{ roots: number[]; last: number | undefined }> {
  const rows = await db.query(
    'SELECT nid, state_root, state_before, room_root FROM events WHERE room_nid = ? AND nid > ? ORDER BY nid LIMIT ?',
    [roomNid, after, limit],
  )
  const roots = rows.flatMap((row) => [row['state_root'], row['state_before'], row['room_root']].map(Number))
  return { roots, last: rows.length === 0 ? undefined : Number(rows.at(-1)!['nid']) }
}

async function* mark(
  db: Database,
  roomNid: number,
  { budget, roots, below }: CollectOptions,
  marks: Marks,
): AsyncGenerator<CollectProgress> {
  const toRead: number[] = []
  const add = (nodeNid: number, isLeaf: boolean): void => {
    if (nodeNid !== EMPTY_ROOT && nodeNid < below && marks.add(nodeNid) && !isLeaf) toRead.push(nodeNid)
  }
  for (const root of roots) add(root, false)
  let after: number | undefined = Number.MIN_SAFE_INTEGER
  while (after !== undefined || toRead.length > 0) {
    // Nodes before further events, so that the list of what is to be read stays short.
    if (toRead.length > 0) {
      const portion = toRead.splice(-budget)
      for (const { child, isLeaf } of await readChildren(db, roomNid, portion)) add(child, isLeaf)
    } else {
      const { roots: found, last } = await readRoots(db, roomNid, after!, budget)
      for (const root of found) add(root, false)
      after = last
    }
    yield { phase: 'mark', marked: marks.count, deleted: 0 }
  }
}

/**
 * Deletes a room's state nodes that no root in use reaches any more: mark from the roots, then sweep. Each
 * `next()` is one step of at most `budget` rows, so that the caller sets the pace; the marks live in memory,
 * and what was interrupted begins again. Writes may go on meanwhile: they build on roots in use and number
 * their nodes from `below` on.
 */
export async function* collectStateNodes(
  db: Database,
  roomNid: number,
  options: CollectOptions,
): AsyncGenerator<CollectProgress> {
  const { budget, below } = options
  if (!(budget >= 1)) throw new RangeError('The budget of a collection is at least one row a step')
  const marks = new Marks(below)
  yield* mark(db, roomNid, options, marks)
  let deleted = 0
  let after = 0
  for (;;) {
    const { runs, garbage, last } = await findGarbage(db, roomNid, marks, { after, below, limit: budget })
    if (last === undefined) return
    if (runs.length > 0) {
      const result = await db.commit({ entries: [], steps: runs.map((run) => deleteRun(roomNid, run)) })
      if (!result.ok) throw new Error('A collection of state nodes was refused')
    }
    deleted += garbage
    after = last
    yield { phase: 'sweep', marked: marks.count, deleted }
  }
}
