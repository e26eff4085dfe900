import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { getRoomByNid } from '../load-head.ts'
import { pduTextsFor } from './pdu-text.ts'
import { requireServerInRoom } from './require-server.ts'
import { walkBack } from './walk-back.ts'

/** Events of one answer to a backfill, and to a request for missing events; what Synapse gives as well. */
const MAX_BACKFILL = 100
const MAX_MISSING = 20
/** Names of events that a request may hold: a room has no more forward extremities than that. */
const MAX_NAMED = 100

/** An answer of PDUs as it is sent (transaction format). */
function transaction(engine: RoomEngine, pdus: readonly string[]): string {
  const origin = JSON.stringify(engine.serverName)
  return `{"origin":${origin},"origin_server_ts":${engine.clock.now()},"pdus":[${pdus.join(',')}]}`
}

/**
 * One event, in its redacted form where the server must not see it.
 * @throws M_NOT_FOUND when we do not hold it, M_FORBIDDEN when the server is not in its room
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid
 */
export async function serveEvent(engine: RoomEngine, origin: ServerName, eventId: EventId): Promise<string> {
  const [row] = await findEventRows(engine.db, [eventId])
  if (row === undefined) throw notFound(`This server does not hold the event ${eventId}`)
  const { roomId } = await getRoomByNid(engine, row.room_nid)
  const room = await requireServerInRoom(engine, roomId, origin)
  return transaction(engine, await pduTextsFor(engine, room, origin, [row]))
}

/**
 * Events before and including some, the newest first.
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid
 */
export async function serveBackfill(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  from: readonly EventId[],
  limit: number,
): Promise<string> {
  const room = await requireServerInRoom(engine, roomId, origin)
  const rows = await walkBack(engine, room, {
    inclusive: true,
    from: from.slice(0, MAX_NAMED),
    until: new Set(),
    limit: Math.min(limit, MAX_BACKFILL),
    minDepth: Number.NEGATIVE_INFINITY,
  })
  return transaction(engine, await pduTextsFor(engine, room, origin, rows))
}

export interface MissingEventsRequest {
  readonly earliest: readonly EventId[]
  readonly latest: readonly EventId[]
  readonly limit: number
  readonly minDepth: number
}

/**
 * Events between those that a server has and those that it was sent, the oldest first.
 * https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid
 */
export async function serveMissingEvents(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  { earliest, latest, limit, minDepth }: MissingEventsRequest,
): Promise<string> {
  const room = await requireServerInRoom(engine, roomId, origin)
  const rows = await walkBack(engine, room, {
    inclusive: false,
    from: latest.slice(0, MAX_NAMED),
    until: new Set(earliest.slice(0, MAX_NAMED)),
    limit: Math.min(limit, MAX_MISSING),
    minDepth,
  })
  const texts = await pduTextsFor(engine, room, origin, rows.toReversed())
  return `{"events":[${texts.join(',')}]}`
}
