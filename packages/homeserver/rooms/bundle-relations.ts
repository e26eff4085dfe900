import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from './engine.ts'
import type { EventReader } from './render-event.ts'
import type { RoomInfo } from './stored-event.ts'

/** The value of `unsigned.m.relations` of those events that have relations, as JSON text. */
export async function bundleRelations(
  _engine: RoomEngine,
  _room: RoomInfo,
  _reader: EventReader,
  _events: readonly StoredEvent[],
): Promise<Map<EventId, string>> {
  return new Map()
}
