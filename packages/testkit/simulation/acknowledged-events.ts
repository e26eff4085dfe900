import { eventIdOf } from '@causeway/matrix/events/event-id-of.ts'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { DispatchResponse } from '@causeway/homeserver/http/dispatch.ts'
import type { RoomEngine } from '@causeway/homeserver/rooms/engine.ts'
import { findRoom } from '@causeway/homeserver/rooms/load-head.ts'
import { sha256 } from '../matrix/ed25519.ts'
import type { NetworkRequest } from './network.ts'

// What another server may forget once it has its answer: it is then the receiver's to keep.

/**
 * The events that an answer to a transaction acknowledges: those for which it names no error, in rooms that the server
 * knows.
 */
export async function acknowledgedEvents(
  engine: RoomEngine,
  { method, path, body }: NetworkRequest,
  answer: DispatchResponse,
): Promise<EventId[]> {
  if (method !== 'PUT' || !path.startsWith('/_matrix/federation/v1/send/') || answer.status !== 200) return []
  const { pdus } = JSON.parse(body ?? '{}') as { pdus: Pdu[] }
  const results = answer.json()['pdus'] as { [eventId: string]: JsonObject }
  const acknowledged: EventId[] = []
  for (const pdu of pdus) {
    const eventId = await idOf(engine, pdu)
    if (eventId !== undefined && results[eventId]?.['error'] === undefined) acknowledged.push(eventId)
  }
  return acknowledged
}

/** Undefined for what is no event of a room that is known. */
async function idOf(engine: RoomEngine, pdu: Pdu): Promise<EventId | undefined> {
  if (typeof pdu.room_id !== 'string') return undefined
  const room = await findRoom(engine, pdu.room_id as RoomId)
  if (room === undefined) return undefined
  try {
    return eventIdOf(room.rules, pdu, sha256)
  } catch {
    return undefined
  }
}

/** Those that are neither placed, nor refused and kept, nor waiting: in no table. */
export async function notHeld({ db }: RoomEngine, eventIds: readonly EventId[]): Promise<EventId[]> {
  if (eventIds.length === 0) return []
  const rows = await db.query<{ event_id: string }>(
    `SELECT event_id FROM events WHERE event_id IN (?text[])
     UNION ALL SELECT event_id FROM inbound_pdus WHERE event_id IN (?text[])`,
    [eventIds, eventIds],
  )
  const held = new Set(rows.map((row) => row.event_id))
  return eventIds.filter((id) => !held.has(id))
}
