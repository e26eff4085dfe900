import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { redactPdu } from '@causeway/matrix/events/redact.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { redactSteps } from '@causeway/store/erasure/statements.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { noteUnreferenced } from '@causeway/store/tables/media-references.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { RoomEngine } from './engine.ts'
import { pduOfRow, placeOfRow, toStoredEvent, type RoomInfo } from './stored-event.ts'

/** An event in its redacted form. */
export interface RedactedEvent {
  readonly roomEvent: RoomEvent
  readonly stored: StoredEvent
}

/**
 * The redacted form of an event we hold (its id and signatures still verify), and what has to be written for it:
 * the row, and what every table makes of it that derives something from events; media that may now be without
 * references is noted as such since `now`.
 */
export function redactRow(
  room: RoomInfo,
  row: EventRow,
  now: number,
): RedactedEvent & { readonly steps: Step[] } {
  const pdu = redactPdu(room.rules, pduOfRow(row))
  const flags = (row.flags | EventFlag.redacted) & ~(EventFlag.notifies | EventFlag.sticky)
  const json = new TextEncoder().encode(canonicalJson(pdu, room.rules.strictCanonicalJson))
  const roomEvent = toRoomEvent(room.rules, pdu, sha256, row.event_id as EventId)
  const stored = toStoredEvent(room, roomEvent, { ...placeOfRow(row), flags })
  const steps = [
    { sql: 'UPDATE events SET json = ?, flags = ? WHERE nid = ?', params: [json, flags, row.nid] },
    noteUnreferenced(row.nid, pdu.sender, now),
    ...redactSteps({ roomNid: row.room_nid, nid: row.nid }),
  ]
  return { roomEvent, stored, steps }
}

/**
 * Makes readers in memory see redacted forms that were committed otherwise than by a write to the room
 * (`persist.ts` does the same for those): nothing of the old form is left behind.
 */
export async function replaceInMemory(
  engine: RoomEngine,
  room: RoomInfo,
  redacted: readonly RedactedEvent[],
): Promise<void> {
  for (const { roomEvent, stored } of redacted) {
    engine.log.ring.replaceEvent(stored)
    engine.events.set(stored.eventId, stored)
    if (stored.stateNid !== 0)
      engine.stateEntries.set(`${stored.roomNid}:${stored.stateNid}`, { stored, roomEvent })
  }
  const ofState = redacted.filter(({ stored }) => stored.stateKey !== undefined)
  if (ofState.length === 0) return
  await engine.queue.serial(room.roomId, () => {
    const head = engine.heads.peek(room.roomId) ?? engine.busyHeads.get(room.roomId)?.head
    for (const { roomEvent, stored } of ofState) {
      const key = packStateKey(stored.type, stored.stateKey!)
      if (head?.state.get(key)?.stored.eventId === stored.eventId) head.state.set(key, { roomEvent, stored })
    }
  })
}
