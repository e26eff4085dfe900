import type { UserRoom } from '../../rooms/membership-index.ts'
import type { ListFilters } from './request.ts'
import type { RoomKind } from './room-kinds.ts'
import type { RoomMarks } from './room-marks.ts'

/** What rooms are filtered by, beside what is known of each. */
export interface FilterFacts {
  readonly marks: RoomMarks
  readonly kinds: ReadonlyMap<number, RoomKind>
  /** Rooms in the spaces that are asked for. */
  readonly children: ReadonlySet<string>
}

/** What of rooms has to be known for a filter. */
export function wantedKinds(filters: ListFilters): { roomType: boolean; encryption: boolean } {
  const { roomTypes, notRoomTypes, isEncrypted } = filters
  const encryption = isEncrypted !== undefined
  return { roomType: encryption || roomTypes !== undefined || notRoomTypes !== undefined, encryption }
}

/** Whether a list is of a room. A room of which nothing is known is in no list that asks what it is. */
export function passes(filters: ListFilters, facts: FilterFacts, room: UserRoom): boolean {
  const { isDm, isInvite, spaces } = filters
  if (isDm !== undefined && facts.marks.direct.has(room.roomId) !== isDm) return false
  if (isInvite !== undefined && (room.membership === 'invite') !== isInvite) return false
  if (spaces !== undefined && !facts.children.has(room.roomId)) return false
  return (
    passesTags(filters, facts.marks.tags.get(room.roomNid)) &&
    passesKind(filters, facts.kinds.get(room.roomNid))
  )
}

function passesTags({ tags, notTags }: ListFilters, own: ReadonlySet<string> | undefined): boolean {
  if (tags !== undefined && (own === undefined || tags.isDisjointFrom(own))) return false
  return notTags === undefined || own === undefined || notTags.isDisjointFrom(own)
}

function passesKind(filters: ListFilters, kind: RoomKind | undefined): boolean {
  const { roomTypes, notRoomTypes, isEncrypted } = filters
  if (isEncrypted !== undefined && kind?.isEncrypted !== isEncrypted) return false
  if (roomTypes === undefined && notRoomTypes === undefined) return true
  const roomType = kind?.roomType
  if (roomType === undefined) return false
  return roomTypes?.has(roomType) !== false && notRoomTypes?.has(roomType) !== true
}
