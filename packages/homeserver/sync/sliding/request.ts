import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomConfig } from './room-config.ts'

/** Which rooms of the user a list is of; what is undefined excludes none. */
export interface ListFilters {
  readonly isDm: boolean | undefined
  readonly isEncrypted: boolean | undefined
  readonly isInvite: boolean | undefined
  /** `null`: rooms without a type. */
  readonly roomTypes: ReadonlySet<string | null> | undefined
  readonly notRoomTypes: ReadonlySet<string | null> | undefined
  readonly tags: ReadonlySet<string> | undefined
  readonly notTags: ReadonlySet<string> | undefined
  /** Rooms that one of these spaces, if the user is in it, names as its children. */
  readonly spaces: ReadonlySet<RoomId> | undefined
  /** Says the same as the rest. */
  readonly key: string
}

/** A window on the user's rooms, the most recently active first. */
export interface ListRequest {
  /** First and last index, inclusive; undefined: all rooms. */
  readonly ranges: readonly (readonly [number, number])[] | undefined
  readonly filters: ListFilters
  readonly config: RoomConfig
}

/** Of which rooms something is told beside their events. */
export interface RoomScope {
  /** Names of lists, `*` for all. */
  readonly lists: readonly string[]
  /** Rooms, `*` for all that are in a list or subscribed to. */
  readonly rooms: readonly string[]
}

export interface ToDeviceRequest {
  readonly since: string | undefined
  readonly limit: number
}

export interface StickyRequest {
  readonly since: string | undefined
  readonly limit: number
}

/** What is asked for beside the rooms; what is undefined is not asked for. */
export interface ExtensionRequests {
  readonly toDevice: ToDeviceRequest | undefined
  readonly e2ee: boolean
  readonly accountData: RoomScope | undefined
  readonly receipts: RoomScope | undefined
  readonly typing: RoomScope | undefined
  /** At most so many changes. */
  readonly threadSubscriptions: number | undefined
  readonly stickyEvents: StickyRequest | undefined
}

/** https://github.com/matrix-org/matrix-spec-proposals/pull/4186 */
export interface SlidingRequest {
  readonly connId: string
  readonly lists: ReadonlyMap<string, ListRequest>
  readonly subscriptions: ReadonlyMap<RoomId, RoomConfig>
  readonly extensions: ExtensionRequests
}
