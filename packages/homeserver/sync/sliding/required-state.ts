import { diffStates } from '@causeway/store/state/diff.ts'
import type { StateKeyName } from '@causeway/store/state/keys.ts'
import { listKeysNamed, listKeysOfTypes, type StateKeyRow } from '@causeway/store/tables/state.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import {
  listStateAt,
  readEntriesOfKeys,
  readStateEntries,
  readStateKeysAt,
} from '../../rooms/current-state.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { ANY, type Pair } from './room-config.ts'

/** A piece of state that is another one than before; without an event where it is gone. */
export interface StateChange extends StateKeyName {
  readonly event: StoredEvent | undefined
}

/** What is different between two states of a room. */
export async function readStateChanges(
  engine: RoomEngine,
  room: RoomInfo,
  from: number,
  to: number,
): Promise<StateChange[]> {
  if (from === to) return []
  const changes = await diffStates(engine.nodes, room.roomNid, from, to)
  const after = changes.map((change) => change.after).filter((nid) => nid !== undefined)
  const entries = await readStateEntries(engine, room, after)
  const gone = changes.filter((change) => change.after === undefined).map(({ keyNid }) => keyNid)
  const names = gone.length === 0 ? undefined : await engine.keys.names(room.roomNid, gone)
  return [
    ...[...entries.values()].map(({ stored }) => ({
      type: stored.type,
      stateKey: stored.stateKey!,
      event: stored,
    })),
    ...[...(names?.values() ?? [])].map((name) => ({ ...name, event: undefined })),
  ]
}

const MEMBER = 'm.room.member'

/**
 * The state that is asked for by names, in which `ANY` stands for every type or key. Names that a room never had cost
 * nothing of their own: but for members, keys are looked up by type, all types in one query.
 */
export async function readPairs(
  engine: RoomEngine,
  room: RoomInfo,
  root: number,
  pairs: readonly Pair[],
): Promise<StoredEvent[]> {
  if (pairs.length === 0 || root === 0) return []
  if (pairs.some(([type, stateKey]) => type === ANY && stateKey === ANY))
    return (await listStateAt(engine, room, root)).map(({ stored }) => stored)
  const isMember = ([type, stateKey]: Pair): boolean => type === MEMBER && stateKey !== ANY
  const members = pairs.filter(isMember).map(([type, stateKey]) => ({ type, stateKey }))
  const [named, others] = await Promise.all([
    members.length === 0 ? [] : readStateKeysAt(engine, room, root, members),
    readByType(
      engine,
      room,
      root,
      pairs.filter((pair) => !isMember(pair)),
    ),
  ])
  const found = new Map<number, StoredEvent>()
  for (const entry of [...named, ...others])
    if (entry !== undefined) found.set(entry.stored.stateNid, entry.stored)
  return [...found.values()]
}

async function readByType(
  engine: RoomEngine,
  room: RoomInfo,
  root: number,
  pairs: readonly Pair[],
): Promise<{ stored: StoredEvent }[]> {
  const types = new Set(pairs.filter(([type]) => type !== ANY).map(([type]) => type))
  const stateKeys = pairs.filter(([type]) => type === ANY).map(([, stateKey]) => stateKey)
  const [byType, byKey] = await Promise.all([
    types.size === 0 ? [] : listKeysOfTypes(engine.db, room.roomNid, [...types]),
    stateKeys.length === 0 ? [] : listKeysNamed(engine.db, room.roomNid, stateKeys),
  ])
  const wanted = new Set(pairs.map(([type, stateKey]) => JSON.stringify([type, stateKey])))
  const isWanted = ({ type, state_key: stateKey }: StateKeyRow): boolean =>
    [ANY, stateKey].some((key) => wanted.has(JSON.stringify([type, key])))
  const keyNids = [...byType.filter(isWanted), ...byKey].map((row) => row.key_nid)
  return readEntriesOfKeys(engine, room, root, keyNids)
}
