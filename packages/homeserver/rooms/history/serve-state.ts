import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { listState } from '@causeway/store/state/tree.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, type EventRow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { loadAuthGraph, type RoomAuthGraph } from '../state/auth-graph.ts'
import { roomEventOfRow, type RoomInfo } from '../stored-event.ts'
import { walkAuthChain } from './auth-chain.ts'
import { statePduTexts } from './pdu-text.ts'
import { requireServerInRoom } from './require-server.ts'

/** The state before an event and what permits it, as numbers of state events. */
interface StateAtEvent {
  readonly room: RoomInfo
  readonly graph: RoomAuthGraph
  readonly state: readonly number[]
  readonly authChain: readonly number[]
}

/**
 * Ids of the room's state before an event, and of its auth chain, as JSON. Costs the state's numbers; no event is read.
 * @throws M_FORBIDDEN for a server that is not in the room, and while the room is partial, M_NOT_FOUND when we do not
 * hold the event with its state
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid
 */
export async function serveStateIds(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  eventId: EventId,
): Promise<string> {
  const { graph, state, authChain } = await readStateAtEvent(engine, origin, roomId, eventId)
  const ids = (nids: readonly number[]): string => JSON.stringify(nids.map((nid) => graph.ids[nid]))
  return `{"pdu_ids":${ids(state)},"auth_chain_ids":${ids(authChain)}}`
}

/**
 * The same with the events themselves, spliced together as they are stored.
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid
 */
export async function serveState(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  eventId: EventId,
): Promise<string> {
  const { room, state, authChain } = await readStateAtEvent(engine, origin, roomId, eventId)
  const pdus = await statePduTexts(engine, room, state)
  return `{"pdus":[${pdus}],"auth_chain":[${await statePduTexts(engine, room, authChain)}]}`
}

async function readStateAtEvent(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  eventId: EventId,
): Promise<StateAtEvent> {
  const room = await requireServerInRoom(engine, roomId, origin)
  requireWholeState(engine, room)
  const row = await requireRow(engine, room, eventId)
  if ((row.flags & EventFlag.outlier) !== 0) {
    throw notFound(`The state at ${eventId} is not known to this server`)
  }
  const graph = await loadAuthGraph(engine, room)
  const state: number[] = []
  for await (const items of listState(engine.nodes, room.roomNid, row.state_before)) {
    for (const [, stateNid] of items) state.push(stateNid)
  }
  return { room, graph, state, authChain: walkAuthChain(room, graph, state) }
}

/** What we know of a room that was joined fast lacks members, and must not pass for its state. */
function requireWholeState(engine: RoomEngine, { roomNid }: RoomInfo): void {
  if (engine.partial.find(roomNid) === undefined) return
  throw forbidden('This server has only begun to join the room and cannot tell its state; ask another one')
}

async function requireRow(engine: RoomEngine, room: RoomInfo, eventId: EventId): Promise<EventRow> {
  const [row] = await findEventRows(engine.db, [eventId])
  if (row === undefined || row.room_nid !== room.roomNid) {
    throw notFound(`This server does not hold the event ${eventId} of this room`)
  }
  return row
}

/**
 * What permits an event, and what permits that, as JSON.
 * @throws M_FORBIDDEN for a server that is not in the room, M_NOT_FOUND when we do not hold the event
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid
 */
export async function serveEventAuth(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  eventId: EventId,
): Promise<string> {
  const room = await requireServerInRoom(engine, roomId, origin)
  const row = await requireRow(engine, room, eventId)
  const graph = await loadAuthGraph(engine, room)
  const direct = row.state_nid === 0 ? directAuth(room, graph, row) : new Set(graph.auth[row.state_nid] ?? [])
  const chain = new Set([
    ...direct,
    ...walkAuthChain(room, graph, row.state_nid === 0 ? direct : [row.state_nid]),
  ])
  return `{"auth_chain":[${await statePduTexts(engine, room, [...chain])}]}`
}

/** Auth events of an event that is no state, which only it names. */
function directAuth(room: RoomInfo, graph: RoomAuthGraph, row: EventRow): Set<number> {
  return new Set(roomEventOfRow(room, row).authEventIds.flatMap((id) => graph.byId.get(id) ?? []))
}
