import type { EventRow } from '@causeway/store/tables/events.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { KeySource, StateKeyName } from '@causeway/store/state/keys.ts'
import type { NodeSource } from '@causeway/store/state/node-source.ts'
import { getMany, listState } from '@causeway/store/state/tree.ts'
import { findStateEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from './engine.ts'
import type { RoomHead } from './head.ts'
import type { StateEntry } from './state-entry.ts'
import { placeOfRow, roomEventOfRow, toStoredEvent, type RoomInfo } from './stored-event.ts'

/** Where state is read: what is stored, and for the writer of a room what its writes have not committed yet. */
export interface Reader extends Pick<RoomEngine, 'db' | 'stateEntries'> {
  /** State events that are not committed, by their number. */
  readonly entries?: ReadonlyMap<number, StateEntry>
  readonly nodes: NodeSource
  readonly keys: KeySource
}

/** State events that are read at once, off this thread: some 10 ms of work here. */
const PORTION = 400

function entryOfRow(room: RoomInfo, row: EventRow): StateEntry {
  const roomEvent = roomEventOfRow(room, row)
  return { roomEvent, stored: toStoredEvent(room, roomEvent, placeOfRow(row)) }
}

/** What the writer of a room reads: with all that its writes have made so far. Only inside the room's queue. */
export function readerOf(engine: Pick<RoomEngine, 'db' | 'stateEntries'>, head: RoomHead): Reader {
  const { db, stateEntries } = engine
  return { db, stateEntries, nodes: head.nodes, keys: head.keys, entries: head.entries }
}

/** State events by their numbers within the room: cached ones from memory, the others in one query. */
export async function readStateEntries(
  engine: Reader,
  room: RoomInfo,
  stateNids: readonly number[],
): Promise<Map<number, StateEntry>> {
  const found = new Map<number, StateEntry>()
  const missing: number[] = []
  for (const stateNid of stateNids) {
    const entry = engine.entries?.get(stateNid) ?? engine.stateEntries.get(`${room.roomNid}:${stateNid}`)
    if (entry === undefined) missing.push(stateNid)
    else found.set(stateNid, entry)
  }
  const mark = engine.stateEntries.mark()
  for await (const rows of readRows(engine, room, missing)) {
    for (const row of rows) {
      const key = `${room.roomNid}:${row.state_nid}`
      found.set(row.state_nid, engine.stateEntries.fill(key, entryOfRow(room, row), mark))
    }
  }
  return found
}

/** The rows in portions, each read while the one before is worked on, so that no large state holds anybody up. */
async function* readRows({ db }: Reader, { roomNid }: RoomInfo, nids: readonly number[]) {
  const read = (from: number): Promise<EventRow[]> => {
    const rows = findStateEventRows(db, roomNid, nids.slice(from, from + PORTION))
    // Where nobody comes to await it, its failure is nobody's concern.
    rows.catch(() => undefined)
    return rows
  }
  let next = nids.length === 0 ? undefined : read(0)
  for (let at = PORTION; next !== undefined; at += PORTION) {
    const rows = await next
    next = at < nids.length ? read(at) : undefined
    yield rows
  }
}

/** What of a state has some keys, by their numbers; in no particular order. */
export async function readEntriesOfKeys(
  engine: Reader,
  room: RoomInfo,
  root: number,
  keyNids: readonly number[],
): Promise<StateEntry[]> {
  if (keyNids.length === 0) return []
  const values = await getMany(engine.nodes, room.roomNid, root, keyNids)
  const stateNids = values.filter((nid) => nid !== undefined)
  return [...(await readStateEntries(engine, room, stateNids)).values()]
}

/** One entry of the room's state at any root. Costs one index look-up and at most four nodes, mostly cached. */
export async function readStateAt(
  engine: Reader,
  room: RoomInfo,
  root: number,
  type: string,
  stateKey: string,
): Promise<StateEntry | undefined> {
  const [entry] = await readStateKeysAt(engine, room, root, [{ type, stateKey }])
  return entry
}

/** Several entries at one root, in the order of `names`; a handful of queries at most, however many there are. */
export async function readStateKeysAt(
  engine: Reader,
  room: RoomInfo,
  root: number,
  names: readonly StateKeyName[],
): Promise<(StateEntry | undefined)[]> {
  const keyNids = await engine.keys.find(room.roomNid, names)
  const known = keyNids.filter((keyNid) => keyNid !== undefined)
  const values = await getMany(engine.nodes, room.roomNid, root, known)
  const stateNidOf = new Map(known.map((keyNid, i) => [keyNid, values[i]]))
  const stateNids = keyNids.map((keyNid) => (keyNid === undefined ? undefined : stateNidOf.get(keyNid)))
  const entries = await readStateEntries(
    engine,
    room,
    stateNids.filter((nid) => nid !== undefined),
  )
  return stateNids.map((stateNid) => (stateNid === undefined ? undefined : entries.get(stateNid)))
}

/** One entry of the current state, remembered by the head. Only inside the room's queue. */
export async function readCurrentState(
  engine: Reader,
  head: RoomHead,
  type: string,
  stateKey: string,
): Promise<StateEntry | undefined> {
  const mapKey = packStateKey(type, stateKey)
  const known = head.state.get(mapKey)
  if (known !== undefined) return known ?? undefined
  const entry = await readStateAt(readerOf(engine, head), head, head.stateRoot, type, stateKey)
  head.state.set(mapKey, entry ?? null)
  return entry
}

/** The whole state at a root. Costs the state: for first syncs, `/state` and `/members` only. */
export async function listStateAt(engine: Reader, room: RoomInfo, root: number): Promise<StateEntry[]> {
  if (root === 0) return []
  const stateNids: number[] = []
  for await (const items of listState(engine.nodes, room.roomNid, root)) {
    for (const [, stateNid] of items) stateNids.push(stateNid)
  }
  const entries = await readStateEntries(engine, room, stateNids)
  return stateNids.map((stateNid) => entries.get(stateNid)).filter((entry) => entry !== undefined)
}
