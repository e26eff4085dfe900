import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { AnswerRefused, checkRoomAnswer, type CheckedRoom } from '../../rooms/join/check-answer.ts'
import type { PartialRoom } from '../../rooms/join/partial-rooms.ts'
import { verifyMany } from '../../rooms/join/verify-answer.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import { roomEventOfRow, type RoomInfo } from '../../rooms/stored-event.ts'
import type { JoiningDeps } from './joining-deps.ts'

/** So many missing events are asked for one by one; for more, the whole state is asked for. */
const MAX_SINGLE = 20

/**
 * The state before our join as a server tells it, checked as the answer to the join was. What is held already is not
 * sent again where only little is missing. @throws FederationError, AnswerRefused
 */
export async function fetchWholeState(
  deps: JoiningDeps,
  { roomId, eventId }: PartialRoom,
  server: ServerName,
  signal: AbortSignal,
): Promise<CheckedRoom> {
  const { peers } = deps.federation
  const room = await findRoom(deps.rooms, roomId)
  if (room === undefined) throw new AnswerRefused('the room is gone')
  const ids = await peers.getStateIds(server, roomId, eventId, signal)
  const rows = await findEventRows(deps.db, [...new Set([...ids.pduIds, ...ids.authChainIds])])
  const held = heldEvents(room, rows)
  const missing = [...new Set([...ids.pduIds, ...ids.authChainIds])].filter((id) => !held.has(id))
  if (missing.length > MAX_SINGLE) return fetchAll(deps, room, eventId, server, signal)
  const fetched = await Promise.all(missing.map((id) => peers.getEvent(server, id, signal)))
  for (const pdu of (await verifyMany({ peers, clock: deps.clock }, room, fetched, signal)).pdus) {
    held.set(pdu.event.eventId, pdu)
  }
  const pick = (wanted: readonly EventId[]): VerifiedPdu[] => wanted.flatMap((id) => held.get(id) ?? [])
  return checkRoomAnswer(room, { state: pick(ids.pduIds), authChain: pick(ids.authChainIds) })
}

async function fetchAll(
  deps: JoiningDeps,
  room: RoomInfo,
  eventId: EventId,
  server: ServerName,
  signal: AbortSignal,
): Promise<CheckedRoom> {
  const { peers } = deps.federation
  const tools = { peers, clock: deps.clock }
  const answer = await peers.getState(server, room.roomId, eventId, signal)
  const state = await verifyMany(tools, room, answer.pdus, signal)
  const authChain = await verifyMany(tools, room, answer.authChain, signal)
  return checkRoomAnswer(room, { state: state.pdus, authChain: authChain.pdus })
}

/** Events that we hold were verified when they came. */
function heldEvents(room: RoomInfo, rows: readonly EventRow[]): Map<EventId, VerifiedPdu> {
  const held = new Map<EventId, VerifiedPdu>()
  for (const row of rows) {
    if (row.room_nid !== room.roomNid || (row.flags & EventFlag.rejected) !== 0) continue
    const json = typeof row.json === 'string' ? Buffer.from(row.json) : row.json
    held.set(row.event_id as EventId, { event: roomEventOfRow(room, row), json })
  }
  return held
}
