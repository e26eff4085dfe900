import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** An event as the homeserver pushes it to us; anything in `content` may be of any type. */
export interface MatrixEvent {
  readonly type: string
  readonly event_id: string
  readonly room_id: string
  readonly sender: string
  readonly origin_server_ts: number
  readonly content: JsonObject
  readonly state_key?: string
  /** Up to room version 10; later in `content`. */
  readonly redacts?: string
  readonly unsigned?: JsonObject
}

/** The homeserver refused, or could not be reached. */
export class MatrixPortError extends Error {
  /** HTTP status; 0: no answer. */
  readonly status: number
  readonly errcode: string
  /** Milliseconds the homeserver asked us to wait. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, errcode: string, message: string, retryAfterMs?: number) {
    super(message)
    this.status = status
    this.errcode = errcode
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** An event to send. `txnId` makes it idempotent: the same one never gives a second event. */
export interface EventToSend {
  readonly roomId: string
  readonly type: string
  readonly content: JsonObject
  readonly txnId: string
  /** Milliseconds since 1970, where it happened earlier. */
  readonly ts?: number
}

/**
 * All that bridges ask of a homeserver. `as` is the user id that acts; undefined = the bridge's bot. Refusals are
 * thrown as `MatrixPortError`.
 */
export interface MatrixPort {
  readonly serverName: string
  readonly botUserId: string
  /** Makes a local user in our namespace; nothing happens where it exists. */
  register(localpart: string): Promise<void>
  setDisplayName(as: string | undefined, name: string): Promise<void>
  send(as: string | undefined, event: EventToSend): Promise<string>
  redact(
    as: string | undefined,
    target: { roomId: string; eventId: string; txnId: string; reason?: string },
  ): Promise<string>
  setState(
    as: string | undefined,
    state: { roomId: string; type: string; stateKey: string; content: JsonObject },
  ): Promise<string>
  /** Undefined where there is none. */
  findState(roomId: string, type: string, stateKey: string): Promise<JsonObject | undefined>
  /** Who made a room: the sender of its `m.room.create`. */
  findCreator(roomId: string): Promise<string | undefined>
  /** The room behind an alias. */
  findRoomByAlias(alias: string): Promise<string | undefined>
  findEvent(roomId: string, eventId: string): Promise<MatrixEvent | undefined>
  join(as: string | undefined, roomIdOrAlias: string): Promise<void>
  leave(as: string | undefined, roomId: string, reason: string): Promise<void>
  setMembership(
    as: string | undefined,
    act: 'invite' | 'kick' | 'ban' | 'unban',
    target: { roomId: string; userId: string; reason?: string },
  ): Promise<void>
  /** Rooms the bot is in. */
  listJoinedRooms(): Promise<string[]>
  /** Stores a file; its mxc address. */
  upload(bytes: Uint8Array, contentType: string, fileName: string): Promise<string>
  /**
   * An address from which people without a Matrix account can get a file until `expiresMs` from now; undefined where
   * there is none.
   */
  publicMediaUrl(mxc: string, expiresMs: number): Promise<string | undefined>
}
