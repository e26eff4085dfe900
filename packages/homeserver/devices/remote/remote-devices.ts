import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import { listSharingUsers } from '@causeway/store/tables/remote-devices.ts'
import type { ServerFailure } from '../../federation/ask-servers.ts'
import type { FederationClient } from '../../federation/federation-client.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { KeyWish } from '../claim-keys.ts'
import { claimRemoteKeys } from './claim-remote.ts'
import { createCopyGuard, type CopyDeps } from './copies.ts'
import { applyUpdates, type UserUpdates } from './device-updates.ts'
import type { FetchOptions } from './fetch-identities.ts'
import { followSharing } from './follow-sharing.ts'
import { queryRemoteKeys, type RemoteAnswer, type RemoteQuestion } from './query-remote.ts'
import { createResync } from './resync.ts'

/** Devices and identities of users of other servers: kept while a room is shared, asked for otherwise. */
export interface RemoteDevices extends AsyncDisposable {
  query(question: RemoteQuestion): Promise<RemoteAnswer>
  claim(
    wishes: readonly KeyWish[],
    options: FetchOptions,
  ): Promise<{ keys: JsonObject; failures: Readonly<Record<string, ServerFailure>> }>
  /**
   * Takes in what their server says of its users; of those who share no room with a user of ours, nothing. Of a room
   * whose members are missing, whoever may be one counts: who reads it is told once they are there.
   * Durable once it resolves. @returns how many users were left out
   */
  receive(updates: readonly UserUpdates[]): Promise<number>
  /** A server sent us something: stale copies of its users are fetched now. */
  heardFrom(server: ServerName): Promise<void>
  /** Resolves when what is known of the log was looked at, and what was due was fetched or has failed. */
  idle(): Promise<void>
}

export interface RemoteDevicesDeps extends CopyDeps {
  readonly serverName: ServerName
  readonly client: FederationClient
  readonly bus: Bus
  readonly rooms: RoomEngine
  readonly random: Random
  readonly logger: Logger
}

/** Begins to follow the log, and takes up what is stale since before. */
export function createRemoteDevices(deps: RemoteDevicesDeps): RemoteDevices {
  const guard = createCopyGuard()
  const parts = { ...deps, guard }
  const sharing = followSharing(parts)
  const resync = createResync(parts)
  resync.wake()
  async function apply(updates: readonly UserUpdates[]): Promise<void> {
    const stale = await Promise.all(updates.map((one) => applyUpdates(guard, deps, one)))
    if (stale.includes(true)) resync.wake()
  }
  return {
    async query(question) {
      // A copy that has just become worthless is gone before it is read.
      await sharing.idle()
      return queryRemoteKeys(parts, question)
    },
    claim: (wishes, options) => claimRemoteKeys(deps.client, wishes, options),
    async receive(updates) {
      const { partial } = deps.rooms
      const userIds = updates.map(({ userId }) => userId)
      // Asked before the query: of a room that becomes whole meanwhile, one of the two knows.
      const perhaps = new Map(userIds.map((userId) => [userId, partial.roomsWith(serverNameOf(userId))]))
      const sharers = await listSharingUsers(deps.db, userIds)
      const admitted = updates.filter(
        ({ userId }) => sharers.has(userId) || partial.admitDevices(userId, perhaps.get(userId)!),
      )
      await apply(admitted)
      return updates.length - admitted.length
    },
    heardFrom: (server) => resync.heardFrom(server),
    async idle() {
      await sharing.idle()
      await guard.queue.idle()
      await resync.idle()
    },
    async [Symbol.asyncDispose]() {
      await resync[Symbol.asyncDispose]()
      await sharing[Symbol.asyncDispose]()
      await guard.queue.idle()
    },
  }
}
