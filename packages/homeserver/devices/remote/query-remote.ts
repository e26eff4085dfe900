// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { listCrossSigningKeys, listKeySignatures } from '@causeway/store/tables/cross-signing.ts'
import {
  listRemoteDevices,
  listRemoteLists,
  listSharingUsers,
} from '@causeway/store/tables/remote-devices.ts'
import { askServers, type ServerFailure } from '../../federation/ask-servers.ts'
import type { FederationClient } from '../../federation/federation-client.ts'
import { renderIdentities, type Identities } from '../read-identities.ts'
import { storeCopy, type CopyDeps, type CopyGuard } from './copies.ts'
import type { Fetch } from './fetch-watch.ts'
import { fetchKeys, fetchUserDevices, type FetchOptions } from './fetch-identities.ts'
import type { RemoteIdentity } from './remote-identity.ts'

export interface QueryDeps extends CopyDeps {
  readonly client: FederationClient
  readonly guard: CopyGuard
}

export interface RemoteQuestion extends FetchOptions {
  /** The devices asked for by user; undefined: all. */
  readonly wanted: ReadonlyMap<UserId, ReadonlySet<string> | undefined>
  readonly viewer: UserId
}

export interface RemoteAnswer {
  readonly identities: Identities
  readonly failures: Readonly<Record<string, ServerFailure>>
}

/** Up to so many users of a server are asked for one by one: only so is it told which update the answer holds. */
const FEW_USERS = 3

/**
 * Keys of users of other servers: of those with whom a room is shared, from the copy that is kept, or fetched
 * and kept; of others, asked anew each time. Of a server that does not answer in time the last known keys are
 * shown, beside the failure.
 */
export async function queryRemoteKeys(deps: QueryDeps, question: RemoteQuestion): Promise<RemoteAnswer> {
  const { db } = deps
  const { wanted, viewer } = question
  const userIds = [...wanted.keys()]
  using fetch = deps.guard.watch.begin()
  const [sharing, lists] = await Promise.all([listSharingUsers(db, userIds), listRemoteLists(db, userIds)])
  const copies = lists.filter((list) => sharing.has(list.user_id))
  const fresh = new Set(copies.filter((list) => list.is_stale === 0).map((list) => list.user_id))
  const missing = Map.groupBy(
    userIds.filter((userId) => !fresh.has(userId)),
    serverNameOf,
  )
  const { answers, failures } = await askServers(missing.keys(), (server) =>
    ask(deps, server, missing.get(server)!, question),
  )
  const fetched = [...answers.values()].flat()
  await keep(deps, fetched, sharing, fetch)
  const known = new Map(fetched.map((identity) => [identity.userId, identity]))
  const held = copies.map((list) => list.user_id as UserId).filter((userId) => !known.has(userId))
  const shown = new Map([...wanted].filter(([userId]) => known.has(userId) || held.includes(userId)))
  const [devices, keys, signatures] = await Promise.all([
    listRemoteDevices(db, held),
    listCrossSigningKeys(db, held),
    listKeySignatures(db, [...shown.keys()], viewer),
  ])
  const rows = {
    devices: [...devices, ...fetched.flatMap((identity) => identity.devices)],
    keys: [...keys, ...fetched.flatMap((identity) => identity.keys)],
    signatures,
  }
  return { identities: renderIdentities(shown, rows, viewer), failures }
}

async function ask(
  { client }: QueryDeps,
  server: ServerName,
  userIds: readonly UserId[],
  { timeoutMs, signal }: RemoteQuestion,
): Promise<RemoteIdentity[]> {
  const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
  if (userIds.length > FEW_USERS) return fetchKeys(client, server, userIds, options)
  return Promise.all(userIds.map((userId) => fetchUserDevices(client, userId, options)))
}

async function keep(
  deps: QueryDeps,
  identities: readonly RemoteIdentity[],
  sharing: ReadonlySet<string>,
  fetch: Fetch,
): Promise<void> {
  const kept = identities.filter(({ userId }) => sharing.has(userId))
  await Promise.all(kept.map((identity) => storeCopy(deps.guard, deps, identity, fetch)))
}
