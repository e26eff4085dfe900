import { Type, type TUnsafe } from 'typebox'
import type { DeviceId, EventId, RoomAlias, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { parseEventId } from '@causeway/matrix/ids/event-id.ts'
import { parseRoomAlias } from '@causeway/matrix/ids/room-alias.ts'
import { parseRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { parsedText } from '../http/schemas.ts'

export const roomIdText: TUnsafe<RoomId> = parsedText('a room id such as !abc:example.org', parseRoomId)
export const eventIdText: TUnsafe<EventId> = parsedText('an event id such as $abc', parseEventId)
export const userIdText: TUnsafe<UserId> = parsedText('a user id such as @alice:example.org', parseUserId)
export const roomAliasText: TUnsafe<RoomAlias> = parsedText(
  'a room alias such as #map:example.org',
  parseRoomAlias,
)
export const roomIdOrAliasText: TUnsafe<RoomId | RoomAlias> = parsedText(
  'a room id or a room alias',
  (text) => parseRoomId(text) ?? parseRoomAlias(text),
)
export const deviceIdText: TUnsafe<DeviceId> = parsedText('a device id', (text) => text !== '')

/** A transaction id: any text, of a length that a key can hold. */
export const txnIdText = Type.String({ minLength: 1, maxLength: 512 })
export const reasonText = Type.Optional(Type.String({ maxLength: 1_000 }))
export const roomParams = Type.Object({ roomId: roomIdText })
