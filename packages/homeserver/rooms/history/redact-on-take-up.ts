import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { redactPdu } from '@causeway/matrix/events/redact.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { mayTakeEffect, redactOnArrival } from '../apply-redaction.ts'
import type { RoomEngine } from '../engine.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { redactedBy } from '../redaction.ts'
import type { RoomWrite } from '../room-write.ts'

/**
 * Events of a batch as they are to be stored: those that are redacted, by what is on record or by another of the batch,
 * in their redacted form. @param redactions on record, by the id that they name @param expired messages that have outlived
 * their time
 */
export async function redactOnTakeUp(
  engine: RoomEngine,
  write: RoomWrite,
  pdus: readonly VerifiedPdu[],
  redactions: ReadonlyMap<string, number>,
  expired: ReadonlySet<EventId>,
): Promise<VerifiedPdu[]> {
  const { rules } = write.head
  const inBatch = new Map<EventId, RoomEvent>()
  for (const { event } of pdus) {
    const target = redactedBy(rules, event)
    if (target !== undefined) inBatch.set(target, event)
  }
  const stored: VerifiedPdu[] = []
  for (const pdu of pdus) {
    const onRecord = redactions.get(pdu.event.eventId)
    const known = onRecord === undefined ? pdu : await redactOnArrival(engine, write, pdu, onRecord)
    const redaction = inBatch.get(pdu.event.eventId)
    const isRedacted =
      redaction !== undefined && (await mayTakeEffect(engine, write, redaction, pdu.event.pdu))
    stored.push(isRedacted || expired.has(pdu.event.eventId) ? redacted(write, known) : known)
  }
  return stored
}

function redacted({ head }: RoomWrite, { event }: VerifiedPdu): VerifiedPdu {
  const pdu = redactPdu(head.rules, event.pdu)
  const json = new TextEncoder().encode(canonicalJson(pdu, head.rules.strictCanonicalJson))
  return { event: { ...event, pdu }, json, isRedacted: true }
}
