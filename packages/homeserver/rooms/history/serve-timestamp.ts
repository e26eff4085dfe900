import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../engine.ts'
import { findEventRowsByNid } from '@causeway/store/tables/events.ts'
import { findByTime } from './find-by-time.ts'
import { requireServerInRoom } from './require-server.ts'
import { findHiddenFromServer } from './server-visibility.ts'

/**
 * The event closest to a time that a server may see, as JSON. @throws M_FORBIDDEN for a server that is not in the room,
 * M_NOT_FOUND when there is none
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
 */
export async function serveTimestamp(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  ts: number,
  direction: 'f' | 'b',
): Promise<string> {
  const room = await requireServerInRoom(engine, roomId, origin)
  const filter = async (events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> => {
    const rows = await findEventRowsByNid(
      engine.db,
      events.map((event) => event.nid),
    )
    const hidden = await findHiddenFromServer(engine, room, origin, rows)
    return events.filter((event) => !hidden.has(event.nid))
  }
  const event = await findByTime(engine, room, { ts, direction, filter })
  if (event === undefined) throw notFound('There is no event of this room in that direction')
  return timestampAnswer(event)
}

/** The answer of both APIs. */
export function timestampAnswer({ eventId, originServerTs }: StoredEvent): string {
  return JSON.stringify({ event_id: eventId, origin_server_ts: originServerTs })
}
