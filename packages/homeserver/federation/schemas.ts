import { Type, type TUnsafe } from 'typebox'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { parseEventId } from '@causeway/matrix/ids/event-id.ts'
import { parseRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parsedText } from '../http/schemas.ts'

export const roomIdText: TUnsafe<RoomId> = parsedText('a room id such as !abc:example.org', parseRoomId)
export const eventIdText: TUnsafe<EventId> = parsedText('an event id such as $abc', parseEventId)
export const roomParams = Type.Object({ roomId: roomIdText })
