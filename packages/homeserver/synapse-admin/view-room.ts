import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomDescription } from '../room-list/describe-room.ts'

/** What the tables say of a room without its state. */
export interface RoomFigures {
  readonly roomId: string
  readonly version: string
  readonly isPublic: boolean
  readonly joined: number
  readonly joinedLocal: number
  readonly stateEvents: number
}

/** As Synapse lists rooms. https://element-hq.github.io/synapse/latest/admin_api/rooms.html#list-room-api */
export function viewRoom(
  { roomId, version, isPublic, joined, joinedLocal, stateEvents }: RoomFigures,
  { creator, federatable, roomType, texts }: Omit<RoomDescription, 'isReplaced'>,
): JsonObject {
  return {
    room_id: roomId,
    joined_members: joined,
    joined_local_members: joinedLocal,
    version,
    creator,
    federatable,
    public: isPublic,
    state_events: stateEvents,
    room_type: roomType,
    ...(texts as JsonObject),
  }
}
