import { Type } from 'typebox'
import type { RoomAlias, RoomId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { roomIdOrAliasText, roomIdText } from '../client/schemas.ts'
import { lookUpLocalAlias } from '../directory/look-up-alias.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

export const RoomParams = Type.Object({ roomId: roomIdText })
export const RoomOrAliasParams = Type.Object({ roomIdOrAlias: roomIdOrAliasText })

/** A room that this server knows. Throws `M_NOT_FOUND`. */
export async function requireRoom({ rooms }: Pick<Homeserver, 'rooms'>, roomId: RoomId): Promise<RoomInfo> {
  const room = await findRoom(rooms, roomId)
  if (room === undefined) throw notFound('Room not found')
  return room
}

/** The same by its id or an address of this server. */
export async function requireRoomOrAlias(hs: Homeserver, idOrAlias: RoomId | RoomAlias): Promise<RoomInfo> {
  if (idOrAlias.startsWith('!')) return await requireRoom(hs, idOrAlias as RoomId)
  return await requireRoom(hs, (await lookUpLocalAlias(hs, idOrAlias as RoomAlias)).roomId)
}

/** Whether somebody has to be invited before they can come in. */
export async function needsInvitation(
  { rooms }: Pick<Homeserver, 'rooms'>,
  room: RoomInfo,
  userId: string,
): Promise<boolean> {
  const [rule, member] = await readNewestState(rooms, room, [
    { type: 'm.room.join_rules', stateKey: '' },
    { type: 'm.room.member', stateKey: userId },
  ])
  const membership = member?.stored.content['membership']
  return rule?.stored.content['join_rule'] !== 'public' && membership !== 'join' && membership !== 'invite'
}
