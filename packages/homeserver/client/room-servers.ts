import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { listRoomServers } from '@causeway/store/tables/room-servers.ts'
import { findStrippedState } from '@causeway/store/tables/stripped-states.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

type Deps = Pick<Homeserver, 'rooms' | 'db' | 'serverName'>

/** How this server stands to a room. */
export interface RoomStanding {
  readonly room: RoomInfo | undefined
  /**
   * Whether what is done in the room is ours to decide: somebody of ours is in it, or nobody else is. Otherwise others
   * know more of it than we do.
   */
  readonly isHere: boolean
}

export async function standingOf({ rooms, db }: Deps, roomId: RoomId): Promise<RoomStanding> {
  const room = await findRoom(rooms, roomId)
  if (room === undefined) return { room, isHere: false }
  if ((await rooms.members.localMembers(room.roomNid)).size > 0) return { room, isHere: true }
  const servers = await listRoomServers(db, room.roomNid)
  if (servers.some(({ joined }) => joined > 0)) return { room, isHere: false }
  const [create] = await readNewestState(rooms, room, [{ type: 'm.room.create', stateKey: '' }])
  return { room, isHere: create !== undefined }
}

/**
 * Servers that may be in a room, the likeliest first, our own never: those that the user names and whoever invited
 * them; without any of these, those that we know of ourselves. Whoever names servers has a choice, by whom they come in.
 */
export async function serversOf(
  hs: Deps,
  roomId: RoomId,
  userId: UserId,
  named: readonly string[],
): Promise<ServerName[]> {
  const servers = new Set<ServerName>()
  for (const name of named) {
    const server = parseServerName(name)
    if (server !== undefined) servers.add(server)
  }
  const room = await findRoom(hs.rooms, roomId)
  if (room !== undefined) for (const server of await serversToldTo(hs, room, userId)) servers.add(server)
  servers.delete(hs.serverName)
  if (servers.size === 0) for (const server of await serversKnown(hs, room, roomId)) servers.add(server)
  servers.delete(hs.serverName)
  return [...servers]
}

/** Who is in the room, as far as we know, and who may have founded it. */
async function serversKnown(hs: Deps, room: RoomInfo | undefined, roomId: RoomId): Promise<ServerName[]> {
  const rows = room === undefined ? [] : await listRoomServers(hs.db, room.roomNid)
  const there = rows.filter(({ joined }) => joined > 0).toSorted((a, b) => b.joined - a.joined)
  const colon = roomId.indexOf(':')
  const founder = colon === -1 ? undefined : parseServerName(roomId.slice(colon + 1))
  return [
    ...there.map(({ server_name: name }) => name as ServerName),
    ...(founder === undefined ? [] : [founder]),
  ]
}

/** Whom the user's invitation came from, and whom it names. */
async function serversToldTo(hs: Deps, room: RoomInfo, userId: UserId): Promise<ServerName[]> {
  const standing = (await hs.rooms.members.roomsOf(userId)).byId.get(room.roomId)
  if (standing === undefined || !['invite', 'knock'].includes(standing.membership)) return []
  const event = (await findEventsByNid(hs.rooms, [standing.eventNid])).get(standing.eventNid)
  const told = await findStrippedState(hs.db, room.roomNid, userId)
  const events = told === undefined ? [] : parseJson(told)
  const senders = (Array.isArray(events) ? events : []).flatMap((one) => {
    const sender =
      isJsonObject(one) && typeof one['sender'] === 'string' ? parseUserId(one['sender']) : undefined
    return sender === undefined ? [] : [sender]
  })
  return [...(event === undefined ? [] : [event.sender]), ...senders].map(serverNameOf)
}
