import type { Isupport } from './isupport.ts'
import type { Tags } from './message.ts'
import type { ModeChange } from './modes.ts'
import type { Source } from './source.ts'

/** Why a connection ended. `RETRY` in disconnect-reason.ts says what follows from each. */
export type DisconnectReason =
  | 'quit'
  | 'dial-failed'
  | 'tls-failed'
  | 'network'
  | 'silent'
  | 'registration-timeout'
  | 'server-closed'
  | 'killed'
  | 'banned'
  | 'throttled'
  | 'flooded'
  | 'sasl-failed'
  | 'sasl-unavailable'
  | 'password-refused'
  | 'nick-refused'
  | 'misbehaving-server'

/** What every event that stems from a line carries. */
export interface LineContext {
  /** Who did it. */
  readonly from: Source
  /** True where it was this connection's own user. */
  readonly own: boolean
  /** The server's time for it (server-time), milliseconds since 1970; `undefined` where not agreed. */
  readonly time: number | undefined
  readonly msgid: string | undefined
  /** The account `from` is logged in to (account-tag); `undefined` = none or not known. */
  readonly account: string | undefined
  /** Type of the batch it came in (`netsplit`, `chathistory` …). */
  readonly batch: string | undefined
  readonly tags: Tags
}

/** Where a text goes to. */
export interface TextTarget {
  /** The channel, without status symbols; `undefined` = to a person, in private. */
  readonly channel: string | undefined
  /** The target as written. */
  readonly target: string
  /** `@` where only operators were addressed, and so on; usually empty. */
  readonly status: string
}

/** A text. An own one is the echo of something sent by other means than a pending `send` (or answered too late). */
export interface TextEvent extends LineContext, TextTarget {
  readonly type: 'message' | 'notice' | 'action'
  readonly text: string
  /** msgid of the message this answers (`+draft/reply`, `+reply`). */
  readonly replyTo: string | undefined
}

/** A line of tags only: reactions, typing. https://ircv3.net/specs/extensions/message-tags#the-tagmsg-tag-only-message */
export interface TagEvent extends LineContext, TextTarget {
  readonly type: 'tagmsg'
  readonly replyTo: string | undefined
  /** `+draft/react` / `+draft/unreact`, on the message `replyTo`. */
  readonly react: string | undefined
  readonly unreact: string | undefined
}

/** A CTCP query, or an answer to one, other than ACTION. */
export interface CtcpEvent extends LineContext, TextTarget {
  readonly type: 'ctcp'
  readonly verb: string
  readonly text: string
  readonly isReply: boolean
}

export interface JoinEvent extends LineContext {
  readonly type: 'join'
  readonly channel: string
}

export interface PartEvent extends LineContext {
  readonly type: 'part'
  readonly channel: string
  readonly reason: string
}

export interface QuitEvent extends LineContext {
  readonly type: 'quit'
  /** Channels shared with the one who left. */
  readonly channels: readonly string[]
  readonly reason: string
  /** The server's link broke and they may be back in minutes: not a person's wish. */
  readonly isNetsplit: boolean
}

export interface KickEvent extends LineContext {
  readonly type: 'kick'
  readonly channel: string
  readonly nick: string
  /** True where this connection's own user was thrown out. */
  readonly isUs: boolean
  readonly reason: string
}

export interface NickEvent extends LineContext {
  readonly type: 'nick'
  readonly nick: string
  readonly channels: readonly string[]
}

export interface ModeEvent extends LineContext {
  readonly type: 'mode'
  readonly channel: string
  readonly changes: readonly ModeChange[]
}

export interface TopicEvent extends LineContext {
  readonly type: 'topic'
  readonly channel: string
  /** Empty = the channel has none. */
  readonly topic: string
  /** False for the topic told on joining. */
  readonly isChange: boolean
}

export interface InviteEvent extends LineContext {
  readonly type: 'invite'
  readonly channel: string
  readonly nick: string
}

/** One of a channel's members. */
export interface Member {
  readonly nick: string
  readonly user: string | undefined
  readonly host: string | undefined
  /** Symbols of their ranks, highest first, e.g. `@+`. */
  readonly ranks: string
}

/** All members of a channel are known, once after each own join. */
export interface NamesEvent {
  readonly type: 'names'
  readonly channel: string
  readonly members: readonly Member[]
}

/** Ready for use: the server has told all about itself. */
export interface RegisteredEvent {
  readonly type: 'registered'
  readonly nick: string
  readonly capabilities: ReadonlySet<string>
  readonly isupport: Isupport
  /** The account SASL logged in to. */
  readonly account: string | undefined
}

/** The agreed capabilities changed while connected. */
export interface CapabilitiesEvent {
  readonly type: 'capabilities'
  readonly capabilities: ReadonlySet<string>
}

/** After a reconnection a channel could not be joined again; it is no longer wanted. */
export interface RejoinRefusedEvent {
  readonly type: 'rejoin-refused'
  readonly channel: string
  readonly code: string
  readonly reason: string
}

/** The server refused something that cannot be traced to one call. */
export interface RefusalEvent {
  readonly type: 'refusal'
  /** A numeric (`482`), or the code of a FAIL reply. */
  readonly code: string
  readonly params: readonly string[]
}

export interface DisconnectedEvent {
  readonly type: 'disconnected'
  readonly reason: DisconnectReason
  /** What the server or the network said. */
  readonly detail: string
  /** False: the client has stopped; only `start` begins anew. */
  readonly retryable: boolean
  /** When the next attempt begins. */
  readonly retryInMs: number | undefined
}

export type IrcEvent =
  | TextEvent
  | TagEvent
  | CtcpEvent
  | JoinEvent
  | PartEvent
  | QuitEvent
  | KickEvent
  | NickEvent
  | ModeEvent
  | TopicEvent
  | InviteEvent
  | NamesEvent
  | RegisteredEvent
  | CapabilitiesEvent
  | RejoinRefusedEvent
  | RefusalEvent
  | DisconnectedEvent
