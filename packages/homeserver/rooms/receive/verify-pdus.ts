import type { RoomEvent, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { checkFormat, type FormatVerdict } from '@causeway/matrix/events/check-format.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { FindVerifyKey } from '@causeway/matrix/signing/keys.ts'
import { verifyEvent } from '@causeway/matrix/signing/verify-event.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { verifySignature } from '../../crypto/verify.ts'
import type { RoomPeers } from '../peers/room-peers.ts'

/** A PDU of another server whose format, signatures and hash were checked. */
export interface VerifiedPdu {
  readonly event: RoomEvent
  /** As it is stored: canonical, without `unsigned`, redacted where the content hash was wrong. */
  readonly json: Uint8Array
  /** A redaction was here before it, and took effect. */
  readonly isRedacted?: boolean
  /** Why the room's policy server has not signed it, where it was asked to. */
  readonly notSigned?: string
  /** Whether that was its answer; otherwise it may answer another time. */
  readonly isRefusedByPolicy?: boolean
}

export type PduVerdict =
  | { readonly ok: true; readonly pdu: VerifiedPdu }
  /** To be dropped; `eventId` where it could be told. */
  | { readonly ok: false; readonly eventId: EventId | undefined; readonly reason: string }

const encoder = new TextEncoder()

/** What says whose an event is: keys, and what checks a signature, on other threads where there are some. */
export type EventVerifier = Pick<RoomPeers, 'loadKeys' | 'verify'>

/** A room as far as its events can be verified by themselves. */
export type RoomOfEvents = { readonly roomId: RoomId; readonly rules: RoomVersionRules }

/**
 * The checks on receipt that need nothing of the room: format, signatures, hashes, and that the event is of this
 * room. Fetches keys, so never inside a room's queue. Verdicts in the order of `pdus`. About 150 µs an event, most of
 * it on other threads.
 * https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu (1 to 3)
 */
export async function verifyPdus(
  verifier: EventVerifier,
  room: RoomOfEvents,
  pdus: readonly unknown[],
  signal?: AbortSignal,
): Promise<PduVerdict[]> {
  const checked = pdus.map((pdu) => checkReceived(room, pdu))
  const sound = checked.flatMap((verdict) => (verdict.ok ? [verdict.pdu] : []))
  const findKey = await verifier.loadKeys(room.rules, sound, signal)
  return verifyChecked(verifier, room, checked, findKey)
}

/** The first check: the format. */
export function checkReceived({ rules }: RoomOfEvents, pdu: unknown): FormatVerdict {
  return checkFormat(rules, withoutUnsigned(pdu))
}

/** The rest of them, of events whose format was checked and whose keys are known. */
export async function verifyChecked(
  verifier: EventVerifier,
  room: RoomOfEvents,
  checked: readonly FormatVerdict[],
  findKey: FindVerifyKey,
): Promise<PduVerdict[]> {
  return Promise.all(
    checked.map(async (verdict): Promise<PduVerdict> => {
      if (!verdict.ok) return { ok: false, eventId: undefined, reason: verdict.reason }
      return verifyOne(verifier, room, verdict, findKey)
    }),
  )
}

async function verifyOne(
  { verify }: EventVerifier,
  { roomId, rules }: RoomOfEvents,
  checked: FormatVerdict & { readonly ok: true },
  findKey: FindVerifyKey,
): Promise<PduVerdict> {
  // Everything else is settled as if the signatures were right, while other threads see whether they are.
  const signatures: Promise<boolean>[] = []
  const tell: VerifySignature = (...signature) => {
    if (verify === undefined) return verifySignature(...signature)
    signatures.push(verify(...signature))
    return true
  }
  const verdict = verifyEvent(rules, checked.pdu, { sha256, verify: tell, findKey })
  const areRight = (await Promise.all(signatures)).every(Boolean)
  if (verdict.outcome === 'invalid') return { ok: false, eventId: undefined, reason: verdict.reason }
  if (!areRight) return { ok: false, eventId: undefined, reason: 'a signature of the event is wrong' }
  const event = toRoomEvent(rules, verdict.pdu, sha256, verdict.eventId)
  if (event.roomId !== roomId) {
    return { ok: false, eventId: event.eventId, reason: 'the event belongs to another room' }
  }
  const isAsSent = verdict.outcome === 'valid'
  const json = isAsSent ? checked.json : canonicalJson(verdict.pdu, rules.strictCanonicalJson)
  return { ok: true, pdu: { event, json: encoder.encode(json) } }
}

/** What senders say beside the event is their word only, and no part of what is hashed or signed. */
function withoutUnsigned(pdu: unknown): unknown {
  if (typeof pdu !== 'object' || pdu === null || !('unsigned' in pdu)) return pdu
  const { unsigned: _, ...rest } = pdu
  return rest
}
