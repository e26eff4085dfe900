import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomAlias, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { aliasServerNameOf } from '@causeway/matrix/ids/room-alias.ts'
import { findAlias } from '@causeway/store/tables/aliases.ts'
import { listServersInRoom } from '@causeway/store/tables/room-servers.ts'
import { findAliasThroughAppservice } from '../appservice/query.ts'
import { FederationError } from '../federation/federation-client.ts'
import { toClientError } from '../federation/to-client-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { MAX_SERVERS, type AliasTarget } from './remote-aliases.ts'

type LocalDeps = Pick<Homeserver, 'db' | 'serverName' | 'rooms' | 'appservices' | 'logger'>

/**
 * Where an alias of ours points, and the servers in that room, we first. Throws `M_NOT_FOUND` for an alias that
 * nobody has claimed.
 */
export async function lookUpLocalAlias(hs: LocalDeps, alias: RoomAlias): Promise<AliasTarget> {
  const found = await findAlias(hs.db, alias)
  const roomId = (found?.roomId ?? (await findAliasThroughAppservice(hs, alias))) as RoomId | undefined
  if (roomId === undefined) throw notFound(`There is no room with the alias ${alias}`)
  const room = await findRoom(hs.rooms, roomId)
  const others = room === undefined ? [] : await listServersInRoom(hs.db, room.roomNid, MAX_SERVERS - 1)
  return { roomId, servers: [hs.serverName, ...(others as ServerName[])] }
}

/**
 * The same of any alias: those of other servers are asked for there. Throws `M_NOT_FOUND`, and `M_UNKNOWN` (502)
 * where the server does not answer. May wait for the network: not inside a room's queue.
 */
export async function lookUpAlias(
  hs: LocalDeps & Pick<Homeserver, 'remoteAliases'>,
  alias: RoomAlias,
): Promise<AliasTarget> {
  if (aliasServerNameOf(alias) === hs.serverName) return lookUpLocalAlias(hs, alias)
  try {
    return await hs.remoteAliases.find(alias)
  } catch (error) {
    throw error instanceof FederationError ? toClientError(error) : error
  }
}
