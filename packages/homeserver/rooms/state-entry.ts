import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/** A state event in both forms: as authorisation and resolution see it, and as it is handed to readers. */
export interface StateEntry {
  readonly roomEvent: RoomEvent
  readonly stored: StoredEvent
}
