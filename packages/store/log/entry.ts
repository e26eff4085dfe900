import type { DeviceId, EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'

/**
 * What the log holds, as it is kept in the in-memory ring. Each kind has its table, from which another
 * process (or a reader that fell behind the ring) reads the same. `position` is 0 until the commit.
 */
export type LogEntry =
  | EventEntry
  | ReceiptEntry
  | AccountDataEntry
  | ToDeviceEntry
  | DeviceListEntry
  | PushRulesEntry
  | PushersEntry
  | ThreadSubscriptionEntry
  | ProfileEntry
  | RoomWholeEntry
  | StickyEntry
  | PurgeEntry
  | CutEntry
  | ErasureEntry

export interface EventEntry {
  readonly kind: 'event'
  position: number
  readonly roomId: RoomId
  readonly event: StoredEvent
  /**
   * What this event made of the room's members, where that is not what it says itself: branches of the graph met,
   * or an event lost against another. Absent: an `m.room.member` event changes its own user's membership, any
   * other nobody's. See `memberChangesOf`.
   */
  readonly memberChanges?: readonly MemberChange[]
}

/** A user's current membership in a room became another one. */
export interface MemberChange {
  readonly userId: UserId
  readonly before: Membership | undefined
  readonly membership: Membership
  /** The membership event in force; the one that was in force when there is none any more. */
  readonly event: StoredEvent
}

/**
 * An event as the rooms engine keeps and hands it out. Immutable but for `nid`, which the commit fills in, and for what
 * is found out of `unrelatedAt`.
 */
export interface StoredEvent {
  /** Log position; negative when it came by the second sequence (back-filled, outlier). */
  nid: number
  readonly eventId: EventId
  readonly roomId: RoomId
  readonly roomNid: number
  readonly type: string
  readonly sender: UserId
  readonly stateKey: string | undefined
  readonly content: JsonObject
  readonly originServerTs: number
  /** Ours: the greatest depth of the parents we hold, plus one. */
  readonly depth: number
  /** Root of the room's state after this event; 0 when not known (outlier). */
  readonly stateRoot: number
  /** Root of the room's current state once the event was accepted: `stateRoot`, unless branches met here. */
  readonly roomRoot: number
  /** Root before it; the same as `stateRoot` unless this is a state event. */
  readonly stateBefore: number
  /** The event's number among the room's state events; 0 for other events. */
  readonly stateNid: number
  /** Bits of `EventFlag`. */
  readonly flags: number
  /** The client event without `unsigned`, as JSON text ending in `}`: made once, spliced per reader. */
  readonly clientJson: string
  /** Log position at which nothing that is bundled with an event related to this one; 0 where that was not asked. */
  unrelatedAt: number
}

export const EventFlag = {
  outlier: 1,
  rejected: 2,
  softFailed: 4,
  redacted: 8,
  /** Counts as unread under the server's default push rules for those who did not send it. */
  notifies: 16,
  /** A relation that is not shown as a message of its own (edit, reaction). */
  hasRelations: 32,
  /** The state before it is not the room's current state before it: it came by another branch of the graph. */
  branched: 64,
  /** When it came, events that it points at were missing: history has a gap before it. */
  gapBefore: 128,
  /** We accepted it for another server (a join, leave or knock by us): ours to pass on to the room's other servers. */
  passedOn: 256,
  /** Ours, made by way of another server, which tells the others of the room. */
  handedOver: 512,
  /** Its sender had it sent later: its delay id is in a table, for a while. */
  delayed: 1024,
  /** Says that it is to be delivered reliably for a while; until when is in a table (MSC4354). */
  sticky: 2048,
} as const

export interface ReceiptEntry {
  readonly kind: 'receipt'
  position: number
  readonly roomId: RoomId
  readonly userId: UserId
  readonly receiptType: string
  readonly eventId: EventId
  /** Number of the event: everything up to it was read. */
  readonly eventNid: number
  readonly threadId: string | undefined
  readonly ts: number
}

export interface AccountDataEntry {
  readonly kind: 'account_data'
  position: number
  readonly userId: UserId
  /** Absent for global account data. Tags are room account data of type `m.tag`. */
  readonly roomId: RoomId | undefined
  readonly type: string
  readonly content: JsonObject
}

export interface ToDeviceEntry {
  readonly kind: 'to_device'
  position: number
  readonly userId: UserId
  readonly deviceId: DeviceId
}

/** A user's devices or cross-signing keys changed: one entry a user, expanded to the readers at read. */
export interface DeviceListEntry {
  readonly kind: 'device_list'
  position: number
  readonly userId: UserId
  /** Nothing changed but this other user's identity as `userId` sees it: they signed it, and nobody else sees that. */
  readonly signedUserId?: UserId
}

export interface PushRulesEntry {
  readonly kind: 'push_rules'
  position: number
  readonly userId: UserId
}

/** A user's pushers changed: set, deleted, ended with a session. */
export interface PushersEntry {
  readonly kind: 'pushers'
  position: number
  readonly userId: UserId
}

/** A user subscribed to a thread, or unsubscribed from one. */
export interface ThreadSubscriptionEntry {
  readonly kind: 'thread_subscription'
  position: number
  readonly userId: UserId
}

export interface ProfileEntry {
  readonly kind: 'profile'
  position: number
  readonly userId: UserId
}

/** A room that was joined fast has all its members now: whoever was not shown it before is shown it. */
export interface RoomWholeEntry {
  readonly kind: 'room_whole'
  position: number
  readonly roomId: RoomId
  readonly roomNid: number
  /**
   * Memberships that are others than they were taken for: of users of ours that were not known, and those that follow
   * from what was decided otherwise now. Who is merely told of is not among them.
   */
  readonly memberChanges: readonly MemberChange[]
  /** Servers that were in the room without our knowing: what they have missed is on its way to them. */
  readonly missedServers: readonly ServerName[]
}

/**
 * A sticky event came otherwise than by the log (back-filled), and is to be delivered to whoever is in the room all the
 * same.
 */
export interface StickyEntry {
  readonly kind: 'sticky'
  position: number
  readonly roomId: RoomId
  readonly roomNid: number
}

/** A room was purged: whoever keeps anything of it lets go of it. Its rows go afterwards, in portions. */
export interface PurgeEntry {
  readonly kind: 'purge'
  position: number
  readonly roomId: RoomId
  readonly roomNid: number
}

/** Messages of a room's past were removed: whoever has counted or derived anything by them does so anew. */
export interface CutEntry {
  readonly kind: 'cut'
  position: number
  readonly roomId: RoomId
  readonly roomNid: number
}

/** A user was erased: what they had said is in its redacted form from here on, without redactions. */
export interface ErasureEntry {
  readonly kind: 'erasure'
  position: number
  readonly userId: UserId
}
