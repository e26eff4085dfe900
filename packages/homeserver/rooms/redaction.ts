import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { redactionTarget } from '@causeway/matrix/events/client-event.ts'

/** What a redaction removes, where its room version keeps that; undefined for other events. */
export function redactedBy(rules: RoomVersionRules, event: RoomEvent): EventId | undefined {
  if (event.pdu.type !== 'm.room.redaction') return undefined
  return redactionTarget(rules, event) as EventId | undefined
}
