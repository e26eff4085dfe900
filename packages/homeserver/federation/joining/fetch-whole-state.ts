import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import {
  AnswerRefused,
  checkRoomAnswer,
  refusalByWholeState,
  type CheckedRoom,
} from '../../rooms/join/check-answer.ts'
import type { PartialRoom } from '../../rooms/join/partial-rooms.ts'
import { verifyMany } from '../../rooms/join/verify-answer.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import { roomEventOfRow, type RoomInfo } from '../../rooms/stored-event.ts'
import type { JoiningDeps } from './joining-deps.ts'

/** So many missing events are asked for one by one; for more, the whole state is asked for. */
const MAX_SINGLE = 20

/** Where in the room the state is asked for. */
interface Place {
  /** The state before this event is asked for. */
  readonly eventId: EventId
  /** What our join follows, when that is what is asked about: it may set state itself. */
  readonly last: VerifiedPdu | undefined
}

/**
 * The state before our join as a server tells it, checked as the answer to the join was; it has to allow the join that
 * was countersigned. What is held already is not sent again where only little is missing.
 * @throws FederationError, AnswerRefused
 */
export async function fetchWholeState(
  deps: JoiningDeps,
  { roomId, eventId }: PartialRoom,
  server: ServerName,
  signal: AbortSignal,
): Promise<CheckedRoom> {
  const room = await findRoom(deps.rooms, roomId)
  if (room === undefined) throw new AnswerRefused('the room is gone')
  const [row] = await findEventRows(deps.db, [eventId])
  if (row === undefined) throw new AnswerRefused('our join is gone')
  const join = roomEventOfRow(room, row)
  const place = await findPlace(deps, room, join, server, signal)
  const { state, authChain } = await fetchState(deps, room, place.eventId, server, signal)
  const checked = checkRoomAnswer(
    room,
    place.last === undefined ? { state, authChain } : after(place.last, state, authChain),
  )
  const reason = refusalByWholeState(room.rules, join, checked)
  if (reason !== undefined)
    throw new AnswerRefused(`by the state it gives, our join is not allowed: ${reason}`)
  return checked
}

/**
 * The event that our join follows, since other servers than the one we joined by may not have got the join itself; the
 * join where it follows several, or where that event is not given to us.
 */
async function findPlace(
  deps: JoiningDeps,
  room: RoomInfo,
  { eventId: joinId, prevEventIds }: RoomEvent,
  server: ServerName,
  signal: AbortSignal,
): Promise<Place> {
  const [lastId, ...others] = prevEventIds
  if (lastId === undefined || others.length > 0) return { eventId: joinId, last: undefined }
  const held = heldEvents(room, await findEventRows(deps.db, [lastId])).get(lastId)
  const last = held ?? (await fetchOne(deps, room, lastId, server, signal))
  return last === undefined ? { eventId: joinId, last } : { eventId: lastId, last }
}

async function fetchOne(
  deps: JoiningDeps,
  room: RoomInfo,
  eventId: EventId,
  server: ServerName,
  signal: AbortSignal,
): Promise<VerifiedPdu | undefined> {
  const { peers } = deps.federation
  const json = await peers.getEvent(server, eventId, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    deps.logger.info('the event before our join is not to be had', { room: room.roomId, server, error })
  })
  if (json === undefined) return undefined
  const { pdus } = await verifyMany({ peers, clock: deps.clock }, room, [json], signal)
  return pdus.find(({ event }) => event.eventId === eventId)
}

/** The state after an event; what it replaces stays among what authorizes the rest. */
function after(
  last: VerifiedPdu,
  state: readonly VerifiedPdu[],
  authChain: readonly VerifiedPdu[],
): { state: VerifiedPdu[]; authChain: VerifiedPdu[] } {
  const { type, state_key: stateKey } = last.event.pdu
  const replaced = state.filter(
    ({ event: { pdu } }) => stateKey !== undefined && pdu.type === type && pdu.state_key === stateKey,
  )
  const rest = state.filter((pdu) => !replaced.includes(pdu))
  return {
    state: stateKey === undefined ? rest : [...rest, last],
    authChain: [...authChain, ...replaced],
  }
}

async function fetchState(
  deps: JoiningDeps,
  room: RoomInfo,
  eventId: EventId,
  server: ServerName,
  signal: AbortSignal,
): Promise<{ readonly state: VerifiedPdu[]; readonly authChain: VerifiedPdu[] }> {
  const { peers } = deps.federation
  const ids = await peers.getStateIds(server, room.roomId, eventId, signal)
  const rows = await findEventRows(deps.db, [...new Set([...ids.pduIds, ...ids.authChainIds])])
  const held = heldEvents(room, rows)
  const missing = [...new Set([...ids.pduIds, ...ids.authChainIds])].filter((id) => !held.has(id))
  if (missing.length > MAX_SINGLE) return fetchAll(deps, room, eventId, server, signal)
  const fetched = await Promise.all(missing.map((id) => peers.getEvent(server, id, signal)))
  for (const pdu of (await verifyMany({ peers, clock: deps.clock }, room, fetched, signal)).pdus) {
    held.set(pdu.event.eventId, pdu)
  }
  const pick = (wanted: readonly EventId[]): VerifiedPdu[] => wanted.flatMap((id) => held.get(id) ?? [])
  return { state: pick(ids.pduIds), authChain: pick(ids.authChainIds) }
}

async function fetchAll(
  deps: JoiningDeps,
  room: RoomInfo,
  eventId: EventId,
  server: ServerName,
  signal: AbortSignal,
): Promise<{ readonly state: VerifiedPdu[]; readonly authChain: VerifiedPdu[] }> {
  const { peers } = deps.federation
  const tools = { peers, clock: deps.clock }
  const answer = await peers.getState(server, room.roomId, eventId, signal)
  const state = await verifyMany(tools, room, answer.pdus, signal)
  const authChain = await verifyMany(tools, room, answer.authChain, signal)
  return { state: state.pdus, authChain: authChain.pdus }
}

/** Events that we hold were verified when they came. */
export function heldEvents(room: RoomInfo, rows: readonly EventRow[]): Map<EventId, VerifiedPdu> {
  const held = new Map<EventId, VerifiedPdu>()
  for (const row of rows) {
    if (row.room_nid !== room.roomNid || (row.flags & EventFlag.rejected) !== 0) continue
    const json = typeof row.json === 'string' ? Buffer.from(row.json) : row.json
    held.set(row.event_id as EventId, { event: roomEventOfRow(room, row), json })
  }
  return held
}
