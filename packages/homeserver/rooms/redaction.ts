import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'

/** What a redaction removes, wherever its room version keeps it; undefined for other events. */
export function redactionTarget(event: RoomEvent): EventId | undefined {
  const { pdu } = event
  if (pdu.type !== 'm.room.redaction') return undefined
  const target = pdu.redacts ?? pdu.content['redacts']
  return typeof target === 'string' ? (target as EventId) : undefined
}
