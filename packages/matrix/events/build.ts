import { badJson, tooLarge } from '../errors/matrix-error.ts'
import type { EventId, RoomId, UserId } from '../ids/ids.ts'
import { roomIdOfCreate } from '../ids/room-id.ts'
import { canonicalJson } from '../json/canonical.ts'
import { exceedsBytes, MAX_EVENT_BYTES, MAX_ID_BYTES } from '../json/limits.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { toStandardBase64 } from '../signing/base64.ts'
import { eventIdOfHash } from './event-id-of.ts'
import type { EventReference, JsonObject, Pdu, RoomEvent, Sha256, Signatures } from './pdu.ts'
import { redactContent } from './redact.ts'
import { STICKY_KEY } from './sticky.ts'

/** Bytes kept free for signatures (ours, and that of a server which authorises a restricted join). */
const SIGNATURE_BYTES = 1024

/** An event to be made, in our words. */
export interface EventDraft {
  readonly type: string
  readonly sender: UserId
  readonly content: JsonObject
  readonly stateKey?: string
  /** Left out of the create event in room version 12 and later, where the id follows from it. */
  readonly roomId?: RoomId
  /** Of a redaction: what it removes. Goes where the room version keeps it. */
  readonly redacts?: EventId
  /** For how many milliseconds it is to be delivered reliably (MSC4354). */
  readonly stickyMs?: number
  /** Milliseconds since 1970. */
  readonly originServerTs: number
  readonly depth: number
  readonly prevEventIds: readonly EventId[]
  readonly authEventIds: readonly EventId[]
  /** Room versions 1 and 2: the id, made by the caller, since the event carries it. */
  readonly eventId?: EventId
  /**
   * Room versions 1 and 2: reference hash (unpadded base64) of each event that is referred to; undefined where nobody
   * tells it, which other servers let pass.
   */
  readonly referenceHashes?: ReadonlyMap<EventId, string | undefined>
}

/** A hashed event, still without signatures (`pdu.signatures` is empty), and its JSON ready to be signed. */
export interface BuiltEvent extends RoomEvent {
  /** `head + tail` is the canonical JSON of `pdu` without `signatures`. */
  readonly head: string
  readonly tail: string
  /** What a signature covers: the canonical JSON of the *redacted* event, which is not `head + tail`. */
  readonly signed: string
}

/**
 * Makes an event of a draft: content hash, event id, and canonical JSON in two halves around the place of
 * `signatures`. The content is encoded once; everything else has a fixed order.
 * https://spec.matrix.org/v1.19/server-server-api/#adding-hashes-and-signatures-to-outgoing-events
 * @throws MatrixError M_BAD_JSON when the content has no canonical form, M_TOO_LARGE when the event exceeds
 * 65536 bytes with its signatures, or its type or state key 255 bytes; TypeError when the draft lacks what its
 * room version needs.
 */
export function buildEvent(
  rules: RoomVersionRules,
  draft: EventDraft,
  deps: { readonly sha256: Sha256 },
): BuiltEvent {
  requireSizes(draft)
  const parts = encodeParts(rules, draft)
  const contentHash = toStandardBase64(
    deps.sha256(
      `${parts.auth}${parts.content}${parts.depth}${parts.sticky}${parts.middle}${parts.redacts}${parts.end}`,
    ),
  )
  const hashes = `,"hashes":{"sha256":"${contentHash}"}`
  const signed = `${parts.auth}${parts.redactedContent}${parts.depth}${hashes}${parts.middle}${parts.end}`
  const head = `${parts.auth}${parts.content}${parts.depth}${hashes}${parts.sticky}${parts.middle}${parts.redacts}${parts.sender}`
  if (exceedsBytes(head + parts.tail, MAX_EVENT_BYTES - SIGNATURE_BYTES)) {
    throw tooLarge(`An event may have at most ${MAX_EVENT_BYTES} bytes, with its signatures`)
  }
  const eventId = draft.eventId ?? eventIdOfHash(rules, deps.sha256(signed))
  return {
    eventId,
    roomId: draftRoomId(rules, draft) ?? roomIdOfCreate(eventId),
    pdu: makePdu(rules, draft, parts, contentHash),
    prevEventIds: draft.prevEventIds,
    authEventIds: draft.authEventIds,
    head,
    tail: parts.tail,
    signed,
  }
}

/** The signed event as canonical JSON, from its halves; nothing is encoded but the signatures. */
export function spliceSignatures(built: { head: string; tail: string }, signatures: Signatures): string {
  return `${built.head}"signatures":${canonicalJson(signatures)},${built.tail}`
}

/** The event cut where its room version's hashes and signatures take something out or put something in. */
interface Parts {
  readonly fullContent: JsonObject
  readonly prevEvents: EventReference[]
  readonly authEvents: EventReference[]
  readonly auth: string
  readonly content: string
  readonly redactedContent: string
  readonly depth: string
  readonly sticky: string
  readonly middle: string
  readonly redacts: string
  readonly sender: string
  readonly tail: string
  /** `sender` and `tail` */
  readonly end: string
}

function encodeParts(rules: RoomVersionRules, draft: EventDraft): Parts {
  const strict = rules.strictCanonicalJson
  const redactsOnTop = draft.redacts !== undefined && !rules.redactsInContent
  const fullContent =
    draft.redacts === undefined || redactsOnTop ? draft.content : { ...draft.content, redacts: draft.redacts }
  const kept = redactContent(rules, draft.type, fullContent)
  const content = canonicalJson(fullContent, strict)
  const prevEvents = references(rules, draft, draft.prevEventIds)
  const authEvents = references(rules, draft, draft.authEventIds)
  const roomId = draftRoomId(rules, draft)
  const sender = `${roomId === undefined ? '' : `,"room_id":${quote(roomId)}`},"sender":${quote(draft.sender)},`
  const tail = `${draft.stateKey === undefined ? '' : `"state_key":${quote(draft.stateKey)},`}"type":${quote(draft.type)}}`
  return {
    fullContent,
    prevEvents,
    authEvents,
    auth: `{"auth_events":${canonicalJson(authEvents)},"content":`,
    content,
    redactedContent: kept === fullContent ? content : canonicalJson(kept, strict),
    depth: `,"depth":${integer(draft.depth)}${embeddedId(rules, draft)}`,
    sticky: draft.stickyMs === undefined ? '' : `,"${STICKY_KEY}":{"duration_ms":${integer(draft.stickyMs)}}`,
    middle: `,"origin_server_ts":${integer(draft.originServerTs)},"prev_events":${canonicalJson(prevEvents)}`,
    redacts: redactsOnTop ? `,"redacts":${quote(draft.redacts)}` : '',
    sender,
    tail,
    end: sender + tail,
  }
}

function makePdu(rules: RoomVersionRules, draft: EventDraft, parts: Parts, contentHash: string): Pdu {
  const pdu: Pdu = {
    auth_events: parts.authEvents,
    content: parts.fullContent,
    depth: draft.depth,
    hashes: { sha256: contentHash },
    origin_server_ts: draft.originServerTs,
    prev_events: parts.prevEvents,
    sender: draft.sender,
    signatures: {},
    type: draft.type,
  }
  const roomId = draftRoomId(rules, draft)
  if (roomId !== undefined) pdu.room_id = roomId
  if (draft.stateKey !== undefined) pdu.state_key = draft.stateKey
  if (parts.redacts !== '' && draft.redacts !== undefined) pdu.redacts = draft.redacts
  if (draft.eventId !== undefined) pdu.event_id = draft.eventId
  if (draft.stickyMs !== undefined) pdu[STICKY_KEY] = { duration_ms: draft.stickyMs }
  return pdu
}

/** As `check-format.ts` has it: only the state under the empty key is a create event; any other names its room. */
function draftRoomId(rules: RoomVersionRules, draft: EventDraft): RoomId | undefined {
  if (rules.roomIdIsCreateHash && draft.type === 'm.room.create' && draft.stateKey === '') return undefined
  if (draft.roomId === undefined) throw new TypeError(`A ${draft.type} event needs a room id`)
  return draft.roomId
}

function embeddedId(rules: RoomVersionRules, draft: EventDraft): string {
  if ((rules.eventId === 'embedded') !== (draft.eventId !== undefined)) {
    throw new TypeError('A draft has an event id in room versions 1 and 2, and in no other')
  }
  return draft.eventId === undefined ? '' : `,"event_id":${quote(draft.eventId)}`
}

function references(rules: RoomVersionRules, draft: EventDraft, ids: readonly EventId[]): EventReference[] {
  if (!rules.referencePairs) return [...ids]
  return ids.map((id) => {
    if (draft.referenceHashes?.has(id) !== true) throw new TypeError(`The reference hash of ${id} is missing`)
    const sha256 = draft.referenceHashes.get(id)
    return [id, sha256 === undefined ? {} : { sha256 }]
  })
}

function requireSizes(draft: EventDraft): void {
  if (exceedsBytes(draft.type, MAX_ID_BYTES)) {
    throw tooLarge(`An event type may have at most ${MAX_ID_BYTES} bytes`)
  }
  if (draft.stateKey !== undefined && exceedsBytes(draft.stateKey, MAX_ID_BYTES)) {
    throw tooLarge(`A state key may have at most ${MAX_ID_BYTES} bytes`)
  }
}

function quote(text: string): string {
  return canonicalJson(text)
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value))
    throw badJson('Depth, timestamp and durations must be integers within ±(2^53-1)')
  return String(value)
}
