import type { EventId, KeyId, RoomId, ServerName, UserId } from '../ids/ids.ts'

/** A JSON object as it came off the wire or goes onto it. */
export type JsonObject = { [key: string]: JsonValue }
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/** How a PDU names another: by id (room version 3 and later), or as `[id, hashes]` (versions 1 and 2). */
export type EventReference = string | [string, { sha256?: string }]

/** `signatures` of an event or any other signed object: server (or user) → key id → unpadded base64. */
export type Signatures = { [entity: string]: { [keyId: string]: string } }

/**
 * A persistent event as it is signed, stored and federated. Keys are the wire's, since it is signed as it
 * stands. Unknown keys are kept: they are part of the hash.
 * https://spec.matrix.org/v1.19/rooms/ (event format of each room version)
 */
export interface Pdu {
  type: string
  sender: UserId
  /** Absent on `m.room.create` in room version 12 and later, where the room id follows from the event. */
  room_id?: RoomId
  content: JsonObject
  state_key?: string
  /** Top level up to room version 10; in `content` from 11 on. */
  redacts?: EventId
  origin_server_ts: number
  depth: number
  prev_events: EventReference[]
  auth_events: EventReference[]
  hashes: { sha256: string }
  signatures: Signatures
  unsigned?: JsonObject
  /** Room versions 1 and 2 carry their id. */
  event_id?: EventId
  origin?: ServerName
  [key: string]: unknown
}

/**
 * A PDU with what follows from it and its room version, worked out once: what event authorisation, state
 * resolution and the room engine pass around. Never mutated after it was made.
 */
export interface RoomEvent {
  readonly eventId: EventId
  readonly roomId: RoomId
  readonly pdu: Pdu
  readonly prevEventIds: readonly EventId[]
  /** As listed in the event; version 12 leaves the create event out of the list, and so does this. */
  readonly authEventIds: readonly EventId[]
}

/** Who signs, and with which key. `sign` takes the canonical JSON and returns unpadded base64. */
export interface Signer {
  readonly serverName: ServerName
  readonly keyId: KeyId
  sign(canonicalJson: string): string
}

/** SHA-256 over UTF-8, as unpadded base64url. An argument, so that the protocol runs in a browser too. */
export type Sha256 = (text: string) => string

/** Checks an Ed25519 signature (unpadded base64) over canonical JSON. */
export type VerifySignature = (publicKeyBase64: string, canonicalJson: string, signature: string) => boolean
