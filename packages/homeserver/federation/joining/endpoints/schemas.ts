import { Type, type TUnsafe } from 'typebox'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { parseEventId } from '@causeway/matrix/ids/event-id.ts'
import { parseRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { parsedText } from '../../../http/schemas.ts'

export const roomIdText: TUnsafe<RoomId> = parsedText('a room id such as !abc:example.org', parseRoomId)
const userIdText: TUnsafe<UserId> = parsedText('a user id such as @alice:example.org', parseUserId)
const eventIdText: TUnsafe<EventId> = parsedText('an event id such as $abc', parseEventId)

export const templateParams = Type.Object({ roomId: roomIdText, userId: userIdText })
export const eventParams = Type.Object({ roomId: roomIdText, eventId: eventIdText })

/** A room's PDU with what invitations tell of the room. */
export const MAX_INVITE_BYTES = 1024 * 1024
