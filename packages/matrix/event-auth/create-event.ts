import type { RoomEvent } from '../events/pdu.ts'
import type { RoomId } from '../ids/ids.ts'
import { isUserId, serverNameOf } from '../ids/user-id.ts'
import { findRoomVersion, type RoomVersionRules } from '../room-versions/rules.ts'
import { ALLOWED, refuse, type Verdict } from './auth-state.ts'
import { ownValue } from './json-reading.ts'

/** Rule 1: `m.room.create`. https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules */
export function authorizeCreate(rules: RoomVersionRules, event: RoomEvent): Verdict {
  const { content, sender, room_id: roomId } = event.pdu
  // 1.1
  if (event.prevEventIds.length > 0) return refuse('The create event must be the first event of the room.')
  // 1.2
  if (rules.roomIdIsCreateHash) {
    if (roomId !== undefined) return refuse('In this room version a create event carries no room ID.')
  } else if (roomIdServerName(event.roomId) !== serverNameOf(sender)) {
    return refuse("The room ID must be of the creator's server.")
  }
  // 1.3
  const version = ownValue(content, 'room_version')
  if (version !== undefined && (typeof version !== 'string' || findRoomVersion(version) === undefined)) {
    return refuse('The room version is not supported.')
  }
  // 1.4
  if (!rules.creatorIsSender && ownValue(content, 'creator') === undefined) {
    return refuse('The create event must name the creator.')
  }
  const additional = ownValue(content, 'additional_creators')
  if (rules.privilegedCreators && additional !== undefined && !isListOfUserIds(additional)) {
    return refuse('The additional creators must be a list of user IDs.')
  }
  return ALLOWED
}

/** The server in a room id of versions before 12. */
function roomIdServerName(roomId: RoomId): string {
  return roomId.slice(roomId.indexOf(':') + 1)
}

function isListOfUserIds(value: unknown): boolean {
  return Array.isArray(value) && value.every(isUserId)
}
