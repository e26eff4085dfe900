import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listAuthEdges, type AuthEdgesRow } from '@causeway/store/tables/state.ts'
import { parseAuthNids } from '../auth-nids.ts'
import { readStateEntries } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomHead } from '../head.ts'
import type { StateEntry } from '../state-entry.ts'
import type { RoomInfo } from '../stored-event.ts'
import { createPause } from './create-pause.ts'

/**
 * All state events of a room with their auth edges, by number: what walks of auth chains need, without a single
 * event. Numbers are dense, so that it only ever grows at its end. About 150 bytes an event.
 */
export interface RoomAuthGraph {
  /** Event ids by number; number 0 is no event. */
  readonly ids: (EventId | undefined)[]
  readonly auth: (readonly number[])[]
  readonly byId: Map<EventId, number>
  readonly rejected: Set<number>
}

const NO_EDGES: readonly number[] = []

export function weighAuthGraph(graph: RoomAuthGraph): number {
  return 300 + graph.ids.length * 180
}

/** The graph of what is stored, brought up to date. Costs what has come since it was last asked for. */
export async function loadAuthGraph(
  engine: Pick<RoomEngine, 'db' | 'clock' | 'authGraphs' | 'stateEntries' | 'nodes' | 'keys'>,
  room: RoomInfo,
): Promise<RoomAuthGraph> {
  const graph: RoomAuthGraph = engine.authGraphs.get(room.roomNid) ?? {
    ids: [undefined],
    auth: [NO_EDGES],
    byId: new Map(),
    rejected: new Set(),
  }
  const after = graph.ids.length - 1
  const mark = engine.authGraphs.mark()
  const rows = await listAuthEdges(engine.db, room.roomNid, after)
  const unwritten: number[] = []
  const pause = createPause(engine.clock)
  for (const row of rows) {
    const turn = pause()
    if (turn !== undefined) await turn
    // Somebody else may have brought it up to date meanwhile.
    if (row.state_nid < graph.ids.length) continue
    addRow(graph, row)
    if (row.auth === null) unwritten.push(row.state_nid)
  }
  if (unwritten.length > 0) await readEdgesOfEvents(engine, room, graph, unwritten)
  // What was judged anew since the rows were read is not in it: then it is read again by the next.
  engine.authGraphs.fill(room.roomNid, graph, mark)
  return graph
}

function addRow(graph: RoomAuthGraph, { state_nid: nid, event_id: id, flags, auth }: AuthEdgesRow): void {
  graph.ids[nid] = id as EventId
  graph.auth[nid] = auth === null ? NO_EDGES : parseAuthNids(auth)
  graph.byId.set(id as EventId, nid)
  if ((flags & EventFlag.rejected) !== 0) graph.rejected.add(nid)
}

/** Events stored before their edges were written down tell them themselves. */
async function readEdgesOfEvents(
  engine: Pick<RoomEngine, 'db' | 'stateEntries' | 'nodes' | 'keys'>,
  room: RoomInfo,
  graph: RoomAuthGraph,
  nids: readonly number[],
): Promise<void> {
  for (const [nid, { roomEvent }] of await readStateEntries(engine, room, nids)) {
    graph.auth[nid] = roomEvent.authEventIds.flatMap((id) => graph.byId.get(id) ?? [])
  }
}

/** The same with what the room's writes have not committed yet. Only inside the room's queue. */
export interface WriterAuthGraph {
  idOf(nid: number): EventId | undefined
  nidOf(id: EventId): number | undefined
  authOf(nid: number): readonly number[]
  isRejected(nid: number): boolean
}

export async function writerAuthGraph(engine: RoomEngine, head: RoomHead): Promise<WriterAuthGraph> {
  // Before anything is read: what is committed meanwhile may be found in neither place otherwise.
  const entries = new Map(head.entries)
  const stored = await loadAuthGraph(engine, head)
  const entryOf = (nid: number): StateEntry | undefined => head.entries.get(nid) ?? entries.get(nid)
  const ids = new Map<EventId, number>()
  for (const [nid, { stored: event }] of entries) ids.set(event.eventId, nid)
  const nidOf = (id: EventId): number | undefined => ids.get(id) ?? stored.byId.get(id)
  return {
    nidOf,
    idOf: (nid) => entryOf(nid)?.stored.eventId ?? stored.ids[nid],
    authOf: (nid) => {
      const pending = entryOf(nid)
      if (pending === undefined) return stored.auth[nid] ?? NO_EDGES
      return pending.roomEvent.authEventIds.flatMap((id) => nidOf(id) ?? [])
    },
    isRejected: (nid) => {
      const pending = entryOf(nid)
      if (pending === undefined) return stored.rejected.has(nid)
      return (pending.stored.flags & EventFlag.rejected) !== 0
    },
  }
}
