import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, findRejections, type EventRow } from '@causeway/store/tables/events.ts'
import { listInboundPdus } from '@causeway/store/tables/inbound-pdus.ts'
import { verifyPdus } from '../receive/verify-pdus.ts'
import { roomEventOfRow, type RoomInfo } from '../stored-event.ts'
import type { AskDeps } from './ask-server.ts'
import type { NamedEvent, Why } from './finding.ts'

/** What we know of an event that a server names as state. */
export interface KnownEvent {
  readonly eventId: EventId
  /** Undefined where nothing can be said of it but that it was named. */
  readonly named: (NamedEvent & { readonly type: string; readonly stateKey: string }) | undefined
  readonly why: Why
  readonly reason: string | undefined
  /** The event itself: held, or given just now, and then verified and stored nowhere. */
  readonly event: RoomEvent | undefined
}

/** Events asked for at a time, */
const PARALLEL = 10
/** and of one server at all. */
const MAX_FETCHED = 200
const MAX_WAITING = 1_000

/** Says of events that a server named what they are; those that we do not hold are asked for, and verified. */
export async function nameEvents(
  deps: AskDeps,
  room: RoomInfo,
  server: ServerName,
  ids: readonly EventId[],
  signal: AbortSignal,
): Promise<KnownEvent[]> {
  const { db } = deps.engine
  const rows = (await findEventRows(db, ids)).filter((row) => row.room_nid === room.roomNid)
  const reasons = await findRejections(
    db,
    rows.map((row) => row.nid),
  )
  const held = new Map(rows.map((row) => [row.event_id as EventId, row]))
  const missing = ids.filter((id) => !held.has(id)).slice(0, MAX_FETCHED)
  const waiting = missing.length === 0 ? [] : await listInboundPdus(db, room.roomId, MAX_WAITING)
  const inInbox = new Set(waiting.map((row) => row.event_id as EventId))
  return [
    ...rows.map((row) => knownOfRow(room, row, reasons.get(row.nid))),
    ...(await fetchUnknown(deps, room, server, missing, inInbox, signal)),
  ]
}

function knownOfRow(room: RoomInfo, row: EventRow, reason: string | undefined): KnownEvent {
  const event = roomEventOfRow(room, row)
  const { eventId, pdu } = event
  const { sender, origin_server_ts: originServerTs, type, state_key: stateKey = '' } = pdu
  const named = { eventId, sender, originServerTs, type, stateKey }
  return { eventId, named, why: whyOf(row.flags), reason, event }
}

function whyOf(flags: number): Why {
  if ((flags & EventFlag.rejected) !== 0) return 'rejected'
  if ((flags & EventFlag.softFailed) !== 0) return 'soft-failed'
  return (flags & EventFlag.outlier) !== 0 ? 'beside-graph' : 'resolved-otherwise'
}

async function fetchUnknown(
  deps: AskDeps,
  room: RoomInfo,
  server: ServerName,
  ids: readonly EventId[],
  inInbox: ReadonlySet<EventId>,
  signal: AbortSignal,
): Promise<KnownEvent[]> {
  const known: KnownEvent[] = []
  for (let at = 0; at < ids.length; at += PARALLEL) {
    const portion = ids.slice(at, at + PARALLEL)
    known.push(...(await Promise.all(portion.map((id) => fetchOne(deps, room, server, id, signal)))))
    signal.throwIfAborted()
  }
  return known.map((one) =>
    one.why === 'never-received' && inInbox.has(one.eventId) ? { ...one, why: 'waiting' } : one,
  )
}

async function fetchOne(
  { peers }: AskDeps,
  room: RoomInfo,
  server: ServerName,
  eventId: EventId,
  signal: AbortSignal,
): Promise<KnownEvent> {
  const nothing = { eventId, named: undefined, event: undefined }
  let given: unknown
  try {
    given = await peers.getEvent(server, eventId, signal)
  } catch (error) {
    signal.throwIfAborted()
    return { ...nothing, why: 'withheld', reason: error instanceof Error ? error.message : String(error) }
  }
  const [verdict] = await verifyPdus(peers, room, [given], signal)
  if (!verdict!.ok) return { ...nothing, why: 'invalid', reason: verdict!.reason }
  const { event } = verdict!.pdu
  const { sender, origin_server_ts: originServerTs, type, state_key: stateKey } = event.pdu
  if (event.eventId !== eventId)
    return { ...nothing, why: 'invalid', reason: 'another event was given for it' }
  if (stateKey === undefined) return { ...nothing, why: 'invalid', reason: 'it is no state event' }
  const named = { eventId, sender, originServerTs, type, stateKey }
  return { eventId, named, why: 'never-received', reason: undefined, event }
}
