import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import type { Homeserver } from '../../homeserver.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { readNewestState } from '../../rooms/newest-state.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'

/**
 * Says in which rooms a server may be heard, for the length of one transaction: rooms that we are in, and that
 * do not bar it. https://spec.matrix.org/v1.19/server-server-api/#server-access-control-lists-acls
 */
export interface RoomGate {
  /** The room, when we are in it and the sender may be heard there. */
  find(roomId: RoomId): Promise<RoomInfo | undefined>
  /** The same, when the user is the sender's and joined to it, as far as that can be known. */
  open(roomId: RoomId, userId: UserId): Promise<RoomInfo | undefined>
}

export function createRoomGate({ rooms }: Pick<Homeserver, 'rooms'>, origin: ServerName): RoomGate {
  const known = new Map<RoomId, Promise<RoomInfo | undefined>>()
  const look = async (roomId: RoomId): Promise<RoomInfo | undefined> => {
    const room = await findRoom(rooms, roomId)
    if (room === undefined || (await rooms.members.localMembers(room.roomNid)).size === 0) return undefined
    const [acl] = await readNewestState(rooms, room, [{ type: 'm.room.server_acl', stateKey: '' }])
    return isServerAllowed(acl?.stored.content, origin) ? room : undefined
  }
  const find = (roomId: RoomId): Promise<RoomInfo | undefined> => {
    const held = known.get(roomId) ?? look(roomId)
    known.set(roomId, held)
    return held
  }
  return {
    find,
    async open(roomId, userId) {
      if (serverNameOf(userId) !== origin) return undefined
      const membership = (await rooms.members.roomsOf(userId)).byId.get(roomId)?.membership
      if (membership === 'join') return find(roomId)
      if (membership !== undefined) return undefined
      // While the members of a room that was joined fast are not here, its servers' word is all there is.
      const room = await find(roomId)
      const partial = room === undefined ? undefined : rooms.partial.find(room.roomNid)
      return partial?.servers.includes(origin) === true ? room : undefined
    },
  }
}
