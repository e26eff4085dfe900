import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import { listServersInRoom } from '@causeway/store/tables/room-servers.ts'
import type { RoomEngine } from '../engine.ts'
import { readNewestState } from '../newest-state.ts'
import type { RoomInfo } from '../stored-event.ts'

/** Servers that are asked unless more are named. */
const SERVERS = 5
/** Servers of the room that are drawn from. */
const MAX_CANDIDATES = 1_000

/**
 * Whom to ask about a room: those that are named, then in turn the one with the most users and one by chance, so that
 * neither the large ones nor one that makes itself large has the word alone. None that the room's ACL denies.
 * @param only those that may be asked, where not all may: named ones too
 */
export async function chooseServers(
  engine: RoomEngine,
  room: RoomInfo,
  named: readonly ServerName[],
  only?: ReadonlySet<ServerName>,
): Promise<ServerName[]> {
  const [acl] = await readNewestState(engine, room, [{ type: 'm.room.server_acl', stateKey: '' }])
  const there = (await listServersInRoom(engine.db, room.roomNid, MAX_CANDIDATES)) as ServerName[]
  const isMeant = (server: ServerName): boolean => only?.has(server) !== false
  const allowed = there.filter((server) => isMeant(server) && isServerAllowed(acl?.stored.content, server))
  const chosen = new Set(named.filter((server) => server !== engine.serverName && isMeant(server)))
  const rest = allowed.filter((server) => !chosen.has(server))
  while (chosen.size < SERVERS && rest.length > 0) {
    const byChance = chosen.size % 2 === 1
    const at = byChance ? Math.min(rest.length - 1, Math.floor(engine.random.fraction() * rest.length)) : 0
    chosen.add(rest.splice(at, 1)[0]!)
  }
  return [...chosen]
}
