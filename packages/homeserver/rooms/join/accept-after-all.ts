import { redactPdu } from '@causeway/matrix/events/redact.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { noteBackwardExtremity } from '@causeway/store/tables/backward-extremities.ts'
import { addReceivedRedaction, mayTakeEffect } from '../apply-redaction.ts'
import { readerOf, readStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { redactedBy } from '../redaction.ts'
import { numberOf, type NewEvent, type RoomWrite } from '../room-write.ts'
import { toStoredEvent } from '../stored-event.ts'
import type { AcceptedAfterAll } from './rejudge.ts'

/**
 * Adds events that had been refused to the room, as if they came only now: each is told to everybody, has the effect
 * that it has, and a number of its own. The write's state has to be what it ends with.
 */
export async function acceptAfterAll(
  engine: RoomEngine,
  write: RoomWrite,
  accepted: readonly AcceptedAfterAll[],
): Promise<void> {
  for (const one of accepted) {
    const event = await addEvent(engine, write, one)
    for (const eventId of one.missing) {
      const child = { nid: numberOf(write, event), depth: event.stored.depth }
      write.steps.push(noteBackwardExtremity(write.head.roomNid, eventId, child))
    }
    if (!(await redactInWrite(engine, write, event)) && event.stored.type === 'm.room.redaction') {
      await addReceivedRedaction(engine, write, event)
    }
  }
}

async function addEvent(
  engine: RoomEngine,
  write: RoomWrite,
  { row, roomEvent, stored, auth }: AcceptedAfterAll,
): Promise<NewEvent> {
  const { head } = write
  const { type, stateKey, stateBefore } = stored
  const replaced =
    stateKey === undefined
      ? undefined
      : await readStateAt(readerOf(engine, head), head, stateBefore, type, stateKey)
  const json = typeof row.json === 'string' ? Buffer.from(row.json) : row.json
  const event: NewEvent = {
    roomEvent,
    json,
    stored: { ...stored, nid: 0 },
    auth,
    replaced,
    place: 'log',
    outlier: stored,
  }
  write.events.push(event)
  head.pending.set(stored.eventId, event.stored)
  return event
}

/** A redaction of an event of the same write, which has no row yet that could be changed. */
async function redactInWrite(engine: RoomEngine, write: RoomWrite, redaction: NewEvent): Promise<boolean> {
  const { rules } = write.head
  const target = redactedBy(rules, redaction.roomEvent)
  const at = write.events.findIndex(({ stored }) => stored.eventId === target)
  const event = write.events[at]
  if (event === undefined) return false
  if (!(await mayTakeEffect(engine, write, redaction.roomEvent, event.roomEvent.pdu))) return true
  const pdu = redactPdu(rules, event.roomEvent.pdu)
  const roomEvent = { ...event.roomEvent, pdu }
  const flags = (event.stored.flags | EventFlag.redacted) & ~(EventFlag.notifies | EventFlag.sticky)
  const stored = toStoredEvent(write.head, roomEvent, { ...event.stored, flags })
  const json = new TextEncoder().encode(canonicalJson(pdu, rules.strictCanonicalJson))
  write.events[at] = { ...event, roomEvent, stored, json }
  write.head.pending.set(stored.eventId, stored)
  return true
}
