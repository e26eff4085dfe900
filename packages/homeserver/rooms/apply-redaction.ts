import { requiredActionLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { redactPdu } from '@causeway/matrix/events/redact.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { findEventRows, findEventRowsByNid, type EventRow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from './engine.ts'
import { powerIn } from './power-state.ts'
import { redactedBy } from './redaction.ts'
import { stateOf, type NewEvent, type RoomWrite } from './room-write.ts'
import { redactRow, type RedactedEvent } from './redact-stored.ts'
import type { VerifiedPdu } from './receive/verify-pdus.ts'
import { pduOfRow, roomEventOfRow } from './stored-event.ts'

/**
 * Makes a redaction take effect in the write that carries it: the target's row gets the redacted form (id and
 * signatures still verify), its relation goes, and readers in memory see the same once it is committed.
 * A target that we do not hold, or of another room, is left alone; the redaction stays on record for it.
 * Throws `M_FORBIDDEN` when the sender may neither redact others' events nor is the author.
 * https://spec.matrix.org/v1.19/client-server-api/#redactions
 */
export async function addRedaction(engine: RoomEngine, write: RoomWrite, redaction: NewEvent): Promise<void> {
  const target = redactedBy(write.head.rules, redaction.roomEvent)
  if (target === undefined) return
  const row = (await findEventRows(engine.db, [target]))[0]
  if (row === undefined || row.room_nid !== write.head.roomNid) return
  const { sender } = redaction.roomEvent.pdu
  if (!(await mayRedact(engine, write, sender, pduOfRow(row).sender))) {
    throw forbidden('You can only remove your own messages in this room')
  }
  await redactHeld(engine, write, row)
}

/**
 * The same for a redaction that came from another server: one that may not take effect is part of the room all the
 * same, and does nothing. https://spec.matrix.org/v1.19/rooms/v3/#handling-redactions
 */
export async function addReceivedRedaction(
  engine: RoomEngine,
  write: RoomWrite,
  redaction: NewEvent,
): Promise<void> {
  const target = redactedBy(write.head.rules, redaction.roomEvent)
  const row = target === undefined ? undefined : (await findEventRows(engine.db, [target]))[0]
  if (row === undefined || row.room_nid !== write.head.roomNid) return
  if (await mayTakeEffect(engine, write, redaction.roomEvent, pduOfRow(row))) {
    await redactHeld(engine, write, row)
  }
}

/** An event whose redaction was here before it: as it is to be stored. @param redactionNid of that redaction */
export async function redactOnArrival(
  engine: RoomEngine,
  write: RoomWrite,
  arrived: VerifiedPdu,
  redactionNid: number,
): Promise<VerifiedPdu> {
  const { rules, roomNid } = write.head
  const row = (await findEventRowsByNid(engine.db, [redactionNid]))[0]
  if (row === undefined || row.room_nid !== roomNid) return arrived
  const redaction = roomEventOfRow(write.head, row)
  if (!(await mayTakeEffect(engine, write, redaction, arrived.event.pdu))) return arrived
  const pdu = redactPdu(rules, arrived.event.pdu)
  const json = new TextEncoder().encode(canonicalJson(pdu, rules.strictCanonicalJson))
  return { event: { ...arrived.event, pdu }, json, isRedacted: true }
}

/** Room versions 1 and 2 decide by authorisation, the later ones by who may redact whom. */
export async function mayTakeEffect(
  engine: RoomEngine,
  write: RoomWrite,
  redaction: RoomEvent,
  target: Pdu,
): Promise<boolean> {
  if (write.head.rules.redactionAuthorizedByDomain) return true
  if (serverNameOf(redaction.pdu.sender) === serverNameOf(target.sender)) return true
  return mayRedact(engine, write, redaction.pdu.sender, target.sender)
}

async function mayRedact(
  engine: RoomEngine,
  write: RoomWrite,
  sender: UserId,
  author: UserId,
): Promise<boolean> {
  return author === sender || mayRedactOthers(engine, write, sender)
}

async function redactHeld(engine: RoomEngine, write: RoomWrite, row: EventRow): Promise<void> {
  const { roomEvent, stored, steps } = redactRow(write.head, row, engine.clock.now())
  write.steps.push(...steps)
  write.redacted.push({ roomEvent, stored })
  await replaceInState(engine, write, { roomEvent, stored })
}

/** A redacted event that is current state is what the next authorisation must see. */
async function replaceInState(engine: RoomEngine, write: RoomWrite, redacted: RedactedEvent): Promise<void> {
  const { stored } = redacted
  if (stored.stateKey === undefined) return
  const current = await stateOf(engine, write, stored.type, stored.stateKey)
  if (current?.stored.eventId !== stored.eventId) return
  write.state.set(packStateKey(stored.type, stored.stateKey), redacted)
}

async function mayRedactOthers(engine: RoomEngine, write: RoomWrite, sender: string): Promise<boolean> {
  const levels = await powerIn(engine, write)
  return userLevel(levels, sender) >= requiredActionLevel(levels, 'redact')
}
