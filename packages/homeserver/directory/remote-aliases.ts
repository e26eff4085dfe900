// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomAlias, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { aliasServerNameOf } from '@causeway/matrix/ids/room-alias.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { FederationError, type FederationClient } from '../federation/federation-client.ts'

/** Where an alias points, and which servers are likely to have the room: the alias' own first. */
export interface AliasTarget {
  readonly roomId: RoomId
  readonly servers: readonly ServerName[]
}

/** Aliases of other servers. */
export interface RemoteAliases {
  /** Asked for, or half a minute old at most. @throws FederationError */
  find(alias: RoomAlias): Promise<AliasTarget>
}

const MAX_AGE_MS = 30_000
const TIMEOUT_MS = 15_000
const MAX_BYTES = 256 * 1024
/** More are no help to who wants to join. */
export const MAX_SERVERS = 100

function parseTarget(server: ServerName, answer: JsonObject): AliasTarget {
  const { room_id: roomId, servers } = answer
  if (!isRoomId(roomId)) {
    throw new FederationError(server, { kind: 'malformed' }, `${server} answered with what is no room`)
  }
  const named = (Array.isArray(servers) ? servers : []).filter(
    (name): name is ServerName => typeof name === 'string' && isServerName(name),
  )
  return { roomId, servers: [...new Set([server, ...named])].slice(0, MAX_SERVERS) }
}

/** Costs a share of the memory budget. */
export function createRemoteAliases({
  client,
  budget,
  clock,
}: {
  client: FederationClient
  budget: MemoryBudget
  clock: Clock
}): RemoteAliases {
  const cache = budget.cache({
    name: 'remote_aliases',
    share: 0.002,
    weigh: ({ target }: { target: AliasTarget; until: number }, alias: RoomAlias) =>
      300 + 2 * alias.length + 60 * target.servers.length,
  })
  const flights = createSingleFlight<RoomAlias, AliasTarget>()
  return {
    find(alias) {
      const held = cache.get(alias)
      if (held !== undefined && held.until > clock.monotonic()) return Promise.resolve(held.target)
      return flights.run(alias, async () => {
        const server = aliasServerNameOf(alias)
        const answer = await client.request(server, {
          method: 'GET',
          path: '/_matrix/federation/v1/query/directory',
          query: [['room_alias', alias]],
          timeoutMs: TIMEOUT_MS,
          maxBytes: MAX_BYTES,
        })
        const target = parseTarget(server, answer)
        cache.set(alias, { target, until: clock.monotonic() + MAX_AGE_MS })
        return target
      })
    },
  }
}
