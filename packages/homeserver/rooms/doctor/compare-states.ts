import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { listState } from '@causeway/store/state/tree.ts'
import { readStateEntries } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { loadAuthGraph } from '../state/auth-graph.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { AskDeps, ToldState } from './ask-server.ts'
import type { Difference, NamedEvent } from './finding.ts'
import { nameEvents, type KnownEvent } from './name-events.ts'

/** Where a told state and ours part. */
export interface Comparison {
  readonly differences: readonly Difference[]
  /** What we know of the events that only they have. */
  readonly theirs: readonly KnownEvent[]
  readonly onlyTheirs: number
  readonly onlyOurs: number
  /** Differences that were only counted. */
  readonly leftOut: number
}

/** Events that are looked at on each side; more are counted. */
const MAX_SHOWN = 200

/** Compares a state as a server tells it with ours: what is equal costs its ids only. */
export async function compareStates(
  deps: AskDeps,
  room: RoomInfo,
  server: ServerName,
  told: ToldState,
  signal: AbortSignal,
): Promise<Comparison> {
  const { engine } = deps
  const ours = await listIds(engine, room, told.root)
  const theirs = new Set(told.ids)
  const onlyTheirs = [...theirs].filter((id) => !ours.has(id))
  const onlyOurs = [...ours].filter(([id]) => !theirs.has(id)).map(([, nid]) => nid)
  const known = await nameEvents(deps, room, server, onlyTheirs.slice(0, MAX_SHOWN), signal)
  const entries = await readStateEntries(engine, room, onlyOurs.slice(0, MAX_SHOWN))
  const differences = new Map<string, Difference>()
  for (const { stored } of entries.values()) {
    const { eventId, sender, originServerTs, type, stateKey = '' } = stored
    const own: NamedEvent = { eventId, sender, originServerTs }
    const base = { type, stateKey, servers: [server], at: told.at, reason: undefined }
    differences.set(packStateKey(type, stateKey), { ...base, ours: own, theirs: undefined, why: 'lacking' })
  }
  for (const event of known) {
    const difference = differenceOf(event, server, told.at)
    const key = packStateKey(difference.type, difference.stateKey)
    differences.set(key, { ...difference, ours: differences.get(key)?.ours })
  }
  const leftOut = Math.max(0, onlyTheirs.length - MAX_SHOWN) + Math.max(0, onlyOurs.length - MAX_SHOWN)
  const counts = { onlyTheirs: onlyTheirs.length, onlyOurs: onlyOurs.length, leftOut }
  return { differences: [...differences.values()], theirs: known, ...counts }
}

function differenceOf(
  { eventId, named, why, reason }: KnownEvent,
  server: ServerName,
  at: EventId,
): Difference {
  const { type = '', stateKey = '', sender = '', originServerTs = 0 } = named ?? {}
  const theirs = { eventId, sender, originServerTs }
  // What nothing is known of has no key: each stands for itself.
  const key = named === undefined ? { type: '', stateKey: eventId } : { type, stateKey }
  return { ...key, ours: undefined, theirs, why, reason, servers: [server], at }
}

/** The events of a state by id, with their numbers. Costs the state's numbers; no event is read. */
export async function listIds(
  engine: RoomEngine,
  room: RoomInfo,
  root: number,
): Promise<Map<EventId, number>> {
  const graph = await loadAuthGraph(engine, room)
  const ids = new Map<EventId, number>()
  if (root === 0) return ids
  for await (const items of listState(engine.nodes, room.roomNid, root)) {
    for (const [, nid] of items) ids.set(graph.ids[nid]!, nid)
  }
  return ids
}
