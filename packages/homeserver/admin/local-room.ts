import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { parseRoomId } from '@causeway/matrix/ids/room-id.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findAlias } from '@causeway/store/tables/aliases.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

/** The word of a command that names a room. */
export const roomOption = Type.String({ description: 'A room id, or an alias of this server' })

async function roomIdOf({ db }: Pick<Homeserver, 'db'>, text: string): Promise<RoomId> {
  if (text.startsWith('#')) {
    const alias = await findAlias(db, text)
    if (alias === undefined) throw notFound(`This server has no alias ${text}`)
    return alias.roomId as RoomId
  }
  const roomId = parseRoomId(text)
  if (roomId === undefined) throw invalidParam(`"${text}" is no room id: they begin with "!"`)
  return roomId
}

/** Reads `!id` or `#alias:here`. Throws M_INVALID_PARAM for what is neither, M_NOT_FOUND for rooms we do not know. */
export async function readRoom(hs: Pick<Homeserver, 'db' | 'rooms'>, text: string): Promise<RoomInfo> {
  const roomId = await roomIdOf(hs, text)
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  return room
}
