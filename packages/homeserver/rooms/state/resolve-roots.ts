import { createHash } from 'node:crypto'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { packStateKey, type StateKey, type StateKeyPair } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventSource } from '@causeway/matrix/state-res/event-source.ts'
import { resolveState } from '@causeway/matrix/state-res/resolve.ts'
import type { ResolveTools, StateDifference } from '@causeway/matrix/state-res/state-difference.ts'
import type { ConflictedKey, StateEntry as ResolvedEntry } from '@causeway/matrix/state-res/state-map.ts'
import type { StateChange } from '@causeway/store/state/apply.ts'
import type { StateKeyName } from '@causeway/store/state/keys.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import { getMany, listState } from '@causeway/store/state/tree.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { readerOf, readStateEntries, type Reader } from '../current-state.ts'
import type { RoomEngine, StateReset } from '../engine.ts'
import type { StateEntry } from '../state-entry.ts'
import { changeRoot, internKey, type RoomWrite } from '../room-write.ts'
import { writerAuthGraph, type WriterAuthGraph } from './auth-graph.ts'

const TOOLS: ResolveTools = {
  verifySignature,
  sha1: (text) => createHash('sha1').update(text).digest('hex'),
}

/** What one resolution works with. */
interface Work {
  readonly write: RoomWrite
  readonly reader: Reader
  readonly graph: WriterAuthGraph
  /** The first root: the others are described by how they differ from it. */
  readonly base: number
  readonly roots: readonly number[]
  /** By key number: what each root has there. */
  readonly conflicts: ReadonlyMap<number, readonly (number | undefined)[]>
}

/**
 * The state that several states of a room resolve to, as a root; new nodes become part of the write. Costs how much
 * the states differ and the auth chains of that, whatever the size of the room; the same question is not worked out
 * twice. Only inside the room's queue. @throws MissingEventsError when auth events are not held
 * https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
 */
export async function resolveRoots(
  engine: RoomEngine,
  write: RoomWrite,
  roots: readonly number[],
): Promise<number> {
  const distinct = [...new Set(roots)].toSorted((a, b) => a - b)
  if (distinct.length < 2) return distinct[0] ?? 0
  const key = `${write.head.roomNid}:${distinct.join(',')}`
  const known = write.resolved.get(key) ?? engine.resolutions.get(key)
  if (known !== undefined) return known
  const begun = engine.clock.monotonic()
  const root = await resolveAnew(engine, write, distinct)
  engine.figures.noteResolution(write.head.roomId, engine.clock.monotonic() - begun)
  write.resolved.set(key, root)
  return root
}

async function resolveAnew(engine: RoomEngine, write: RoomWrite, roots: readonly number[]): Promise<number> {
  const { head } = write
  const base = roots[0]!
  const work: Work = {
    write,
    reader: readerOf(engine, head),
    graph: await writerAuthGraph(engine, head),
    base,
    roots,
    conflicts: await findConflicts(write, roots),
  }
  const { conflicted, keyNidOf } = await nameConflicts(work)
  const difference: StateDifference = {
    setCount: roots.length,
    conflicted,
    readUnconflicted: (keys) => readUnconflicted(work, keys),
    findReachedFromUnconflicted: (ids) => findReached(work, ids),
  }
  const resolved = await resolveState(head.rules, difference, eventSource(work), TOOLS)
  const root = await changeRoot(write, base, await changesOf(work, resolved, keyNidOf))
  await noteReset(work, conflicted, resolved, root)
  return root
}

/** Keys told of a reset. */
const MAX_RESET_KEYS = 10

/**
 * Notes keys that resolved to what no branch had, or to nothing although every branch had something: unless the room's
 * state is like that already, since then it was told when it came about.
 */
async function noteReset(
  { write }: Work,
  conflicted: readonly ConflictedKey[],
  resolved: readonly ResolvedEntry[],
  root: number,
): Promise<void> {
  const valueOf = new Map(resolved.map((entry) => [packStateKey(entry.type, entry.stateKey), entry.eventId]))
  const lost = conflicted.filter(
    ({ type, stateKey, eventIds }) => !eventIds.includes(valueOf.get(packStateKey(type, stateKey))),
  )
  const known = new Set(conflicted.map(({ type, stateKey }) => packStateKey(type, stateKey)))
  const added = resolved.filter(({ type, stateKey }) => !known.has(packStateKey(type, stateKey)))
  const names = [...lost, ...added].map(({ type, stateKey }) => ({ type, stateKey }))
  if (names.length === 0) return
  const keys = await withoutPresent(write, names, root, valueOf)
  if (keys.length === 0) return
  const { roomId } = write.head
  write.resets.push({ roomId, root, keys: keys.slice(0, MAX_RESET_KEYS), count: keys.length })
}

/** Those of some keys whose value is another one in a state than it is in the room now. */
async function withoutPresent(
  { head }: RoomWrite,
  names: readonly StateKeyName[],
  root: number,
  valueOf: ReadonlyMap<StateKey, EventId>,
): Promise<StateReset['keys'][number][]> {
  const keyNids = (await head.keys.find(head.roomNid, names)).map((keyNid) => keyNid!)
  const [now, then] = await Promise.all([
    getMany(head.nodes, head.roomNid, head.stateRoot, keyNids),
    getMany(head.nodes, head.roomNid, root, keyNids),
  ])
  return names.flatMap(({ type, stateKey }, at) => {
    if (now[at] === then[at]) return []
    const eventId = valueOf.get(packStateKey(type, stateKey))
    return [eventId === undefined ? { type, stateKey } : { type, stateKey, eventId }]
  })
}

async function findConflicts(
  { head }: RoomWrite,
  roots: readonly number[],
): Promise<Map<number, (number | undefined)[]>> {
  const { nodes, roomNid } = head
  const keyNids = new Set<number>()
  for (const root of roots.slice(1)) {
    for (const { keyNid } of await diffStates(nodes, roomNid, roots[0]!, root)) keyNids.add(keyNid)
  }
  const list = [...keyNids]
  const values = await Promise.all(roots.map((root) => getMany(nodes, roomNid, root, list)))
  return new Map(list.map((keyNid, at) => [keyNid, values.map((ofRoot) => ofRoot[at])]))
}

/** Each conflicted key by its name, which any of its events tells. */
async function nameConflicts({ write, reader, graph, conflicts }: Work): Promise<{
  conflicted: ConflictedKey[]
  keyNidOf: Map<string, number>
}> {
  const nids = [...new Set([...conflicts.values()].flat().filter((nid) => nid !== undefined))]
  const entries = await readStateEntries(reader, write.head, nids)
  const conflicted: ConflictedKey[] = []
  const keyNidOf = new Map<string, number>()
  for (const [keyNid, values] of conflicts) {
    const { type, stateKey } = entryOf(
      entries,
      values.find((nid) => nid !== undefined)!,
    ).stored
    keyNidOf.set(packStateKey(type, stateKey!), keyNid)
    conflicted.push({
      type,
      stateKey: stateKey!,
      eventIds: values.map((nid) => (nid === undefined ? undefined : graph.idOf(nid))),
    })
  }
  return { conflicted, keyNidOf }
}

function entryOf(entries: ReadonlyMap<number, StateEntry>, nid: number): StateEntry {
  const entry = entries.get(nid)
  if (entry === undefined) throw new Error(`state event ${nid} is missing`)
  return entry
}

async function readUnconflicted(
  { write, graph, base, conflicts }: Work,
  keys: readonly StateKeyPair[],
): Promise<(EventId | undefined)[]> {
  const { head } = write
  const names = keys.map(([type, stateKey]) => ({ type, stateKey }))
  const keyNids = await head.keys.find(head.roomNid, names)
  const wanted = keyNids.filter((keyNid) => keyNid !== undefined && !conflicts.has(keyNid)) as number[]
  const values = await getMany(head.nodes, head.roomNid, base, wanted)
  const valueOf = new Map(wanted.map((keyNid, at) => [keyNid, values[at]]))
  return keyNids.map((keyNid) => {
    const nid = keyNid === undefined ? undefined : valueOf.get(keyNid)
    return nid === undefined ? undefined : graph.idOf(nid)
  })
}

/** Walks down from the whole unconflicted state over numbers: a few bytes and nanoseconds an event. */
async function findReached(
  { write, graph, base, conflicts }: Work,
  ids: readonly EventId[],
): Promise<ReadonlySet<EventId>> {
  const { nodes, roomNid } = write.head
  const seen = new Set<number>()
  const stack: number[] = []
  for await (const items of listState(nodes, roomNid, base)) {
    for (const [keyNid, nid] of items) if (!conflicts.has(keyNid)) stack.push(nid)
  }
  for (let nid = stack.pop(); nid !== undefined; nid = stack.pop()) {
    for (const authNid of graph.authOf(nid)) {
      if (seen.has(authNid)) continue
      seen.add(authNid)
      stack.push(authNid)
    }
  }
  return new Set(ids.filter((id) => seen.has(graph.nidOf(id) ?? 0)))
}

function eventSource({ write, reader, graph }: Work): EventSource {
  return {
    async getEvents(ids) {
      const nids = ids.map((id) => graph.nidOf(id)).filter((nid) => nid !== undefined)
      const events = new Map<EventId, RoomEvent>()
      for (const { roomEvent } of (await readStateEntries(reader, write.head, nids)).values()) {
        events.set(roomEvent.eventId, roomEvent)
      }
      return events
    },
    getRejected: async (ids) =>
      new Set(
        ids.filter((id) => {
          const nid = graph.nidOf(id)
          return nid !== undefined && graph.isRejected(nid)
        }),
      ),
    async getAuthEdges(ids) {
      const edges = new Map<EventId, readonly EventId[]>()
      for (const id of ids) {
        const nid = graph.nidOf(id)
        if (nid === undefined) continue
        edges.set(
          id,
          graph.authOf(nid).flatMap((authNid) => graph.idOf(authNid) ?? []),
        )
      }
      return edges
    },
  }
}

/** What has to change in the base state: every conflicted key, and what the replay added beside them. */
async function changesOf(
  { write, graph, conflicts }: Work,
  resolved: readonly ResolvedEntry[],
  keyNidOf: ReadonlyMap<string, number>,
): Promise<StateChange[]> {
  const changes = new Map<number, number | undefined>()
  for (const keyNid of conflicts.keys()) changes.set(keyNid, undefined)
  for (const { type, stateKey, eventId } of resolved) {
    const keyNid = keyNidOf.get(packStateKey(type, stateKey)) ?? (await internKey(write, type, stateKey))
    const nid = graph.nidOf(eventId)
    if (nid === undefined) throw new Error(`the resolved event ${eventId} is not held`)
    changes.set(keyNid, nid)
  }
  return [...changes]
}
