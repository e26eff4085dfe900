import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../accounts/administer.ts'
import { clientRoutes } from '../client/routes.ts'
import type { AnyEndpoint } from '../http/endpoint.ts'
import type { ServerDriver, TestLogin, TestServer, TestServerOptions } from '../test-server.ts'
import { synapseAdminRoutes } from './routes.ts'

// Test support: a server with an administrator on it, who asks by Synapse's interface.

export const adminEndpoints: readonly AnyEndpoint[] = [...clientRoutes, ...synapseAdminRoutes]

export interface AdminWorld extends AsyncDisposable {
  readonly server: TestServer
  readonly root: TestLogin
  /** `path` is behind `/_synapse/admin`. The answer has to be a 200 or a 201. */
  ask(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** Status and errcode of an answer that is a refusal. */
  refusal(method: string, path: string, body?: JsonObject): Promise<string>
  /** What a client of somebody's asks, `path` behind `/_matrix/client/v3`. */
  client(who: Pick<TestLogin, 'token'>, method: string, path: string, body?: JsonObject): Promise<JsonObject>
  restart(): Promise<void>
}

export async function openAdminWorld(
  driver: ServerDriver,
  config: TestServerOptions['config'] = {},
): Promise<AdminWorld> {
  let server = await driver.start({ endpoints: adminEndpoints, config })
  const root = await server.register('root')
  await setStanding(server.hs, root.userId as UserId, 'admin', true)
  const send = (token: string, method: string, path: string, body?: JsonObject) =>
    server.request(method, path, { token, ...(body === undefined ? {} : { body }) })
  const good = async (
    token: string,
    method: string,
    path: string,
    body?: JsonObject,
  ): Promise<JsonObject> => {
    const answer = await send(token, method, path, body)
    const text = Buffer.from(answer.bytes).toString()
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${text}`)
    return answer.json()
  }
  return {
    get server() {
      return server
    },
    root,
    ask: (method, path, body) => good(root.token, method, `/_synapse/admin${path}`, body),
    refusal: async (method, path, body) => {
      const answer = await send(root.token, method, `/_synapse/admin${path}`, body)
      return `${answer.status} ${answer.json()['errcode'] as string}`
    },
    client: ({ token }, method, path, body) => good(token, method, `/_matrix/client/v3${path}`, body),
    restart: async () => {
      server = await server.restart()
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
