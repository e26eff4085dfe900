import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import { dispatch, type DispatchResponse } from '../../packages/homeserver/http/dispatch.ts'
import { testRegistration } from '../../packages/homeserver/appservice/test-appservice.ts'
import { routesOf } from '../../packages/homeserver/server.ts'
import { openTestServer, testConfig, type TestServer } from '../../packages/homeserver/test-server.ts'
import type { HomeserverConfig } from '../../packages/homeserver/config.ts'
import { accountTable } from './account-table.ts'
import { deviceTable } from './device-table.ts'
import { requestOf, type Asker, type Operation, type OperationTable } from './operation.ts'
import { makeOwner, setFlag, type Owner } from './people.ts'
import { peopleTable } from './people-table.ts'
import { roomTable } from './room-table.ts'
import { synapseAdminTable } from './synapse-admin-table.ts'

/** Every operation of clients, application services and administrators. */
export const clientTable: OperationTable = {
  ...accountTable,
  ...roomTable,
  ...peopleTable,
  ...deviceTable,
  ...synapseAdminTable,
}

/** All that a server with everything switched on offers, the operations between servers left out. */
export const clientEndpoints: readonly AnyEndpoint[] = routesOf({
  federation: { enabled: true } as HomeserverConfig['federation'],
  url_previews: { enabled: true } as HomeserverConfig['url_previews'],
}).filter(({ path: where }) => !isBetweenServers(where))

export function isBetweenServers(where: string): boolean {
  return /^\/(_matrix\/(federation|key)|\.well-known\/matrix\/server)\b/.test(where)
}

export const hub = { ...testRegistration('hub', null), protocols: ['irc'] }

/** A server, and people of each standing on it. */
export interface ClientWorld extends AsyncDisposable {
  readonly server: TestServer
  /** What others ask about. */
  readonly alice: Owner
  /** Has an account and nothing else. */
  readonly mallory: Asker
  /** Was in Alice's room and was banned. */
  readonly bob: Asker
  readonly root: Asker
  readonly hub: Asker
  /** An owner for one request that leaves them with less. */
  newOwner(): Promise<Owner>
  /** Sends the request of an operation's entry. */
  ask(endpoint: AnyEndpoint, who: Who): Promise<DispatchResponse>
  /** The same by an application service on behalf of a user. */
  askAs(endpoint: AnyEndpoint, who: Who, userId: string): Promise<DispatchResponse>
}

export interface Who {
  readonly of: Owner
  readonly by: Asker
  /** In place of that of `by`; undefined: none. */
  readonly token?: string | undefined
  /** One of its older paths. */
  readonly path?: string
}

export const entryOf = ({ operation }: AnyEndpoint): Operation => {
  const entry = clientTable[operation]
  if (entry === undefined) throw new Error(`${operation} has no entry in the tables of test/authorization`)
  return entry
}

export async function openClientWorld(): Promise<ClientWorld> {
  const folder = await mkdtemp(path.join(tmpdir(), 'authorization-'))
  const config = testConfig(folder, {
    turn: { uris: ['turn:turn.example.org'], shared_secret: 'x', lifetime_seconds: 600 },
    support: { page: 'https://example.org/help', contacts: [] },
  })
  const server = await openTestServer(
    {
      ...config,
      url_previews: { ...config.url_previews, enabled: true },
      media: { ...config.media, unauthenticated_downloads: false },
    },
    { endpoints: clientEndpoints, appservices: [hub] },
    () => rm(folder, { recursive: true }),
  )
  const register = async (name: string): Promise<Asker> => ({ ...(await server.register(name)), name })
  const root = await register('root')
  await setFlag(server, root, 'admin')
  const bob = await register('bob')
  const mallory = await register('mallory')
  let owners = 0
  const newOwner = (): Promise<Owner> => {
    owners += 1
    return makeOwner(server, `owner${owners}`)
  }
  return {
    server,
    root,
    bob,
    mallory,
    alice: await makeOwner(server, 'alice', bob),
    hub: { userId: '@_hub_bot:test.example', deviceId: '', token: hub.as_token, name: '_hub_bot' },
    newOwner,
    ask: (endpoint, who) => {
      const { token } = 'token' in who ? who : who.by
      const request = requestOf(endpoint, entryOf(endpoint), who)
      return dispatch(server.router, { ...request, ...(token === undefined ? {} : { token }) })
    },
    askAs: (endpoint, who, userId) => {
      const { url, ...request } = requestOf(endpoint, entryOf(endpoint), who)
      // Where the operation itself asks for a user by that name, it is the same parameter.
      const isNamed = url.includes('user_id=')
      const as = isNamed ? url : `${url}${url.includes('?') ? '&' : '?'}user_id=${encodeURIComponent(userId)}`
      return dispatch(server.router, { ...request, url: as, token: who.by.token })
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
