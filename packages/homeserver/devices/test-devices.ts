import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../client/routes.ts'
import { TEST_PASSWORD, type ServerDriver, type TestServer } from '../test-server.ts'

/** Test support: one device of somebody, with its own place in the sync. */
export interface TestDevice {
  readonly userId: string
  readonly deviceId: string
  readonly token: string
  since: string | undefined
}

/** A server with every operation for clients, and helpers that speak to it as a device. */
export interface DeviceServer extends AsyncDisposable {
  server: TestServer
  register(name: string): Promise<TestDevice>
  login(of: TestDevice): Promise<TestDevice>
  ask(as: TestDevice, method: string, path: string, body?: JsonObject): Promise<Answer>
  /** As `ask`; throws unless the status is 200. */
  call(as: TestDevice, method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** What is new for the device since its last sync; its first sync is everything. */
  sync(as: TestDevice, query?: Record<string, string>): Promise<JsonObject>
  createRoom(by: TestDevice): Promise<string>
  join(as: TestDevice, roomId: string): Promise<void>
  leave(as: TestDevice, roomId: string): Promise<void>
  publish(as: TestDevice, more?: JsonObject): Promise<JsonObject>
  restart(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: JsonObject
}

/** Identity keys of a device; their content does not matter to a server. */
export function deviceKeysOf(device: TestDevice, more: JsonObject = {}): JsonObject {
  const { userId: user_id, deviceId: device_id } = device
  return {
    user_id,
    device_id,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`curve25519:${device_id}`]: 'abc', [`ed25519:${device_id}`]: 'def' },
    signatures: { [user_id]: { [`ed25519:${device_id}`]: 'ghi' } },
    ...more,
  }
}

async function ask(
  server: TestServer,
  { token }: TestDevice,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<Answer> {
  const url = `/_matrix/client/v3${path}`
  const answer = await server.request(method, url, { token, ...(body === undefined ? {} : { body }) })
  return { status: answer.status, body: answer.json() }
}

export async function openDevices(driver: ServerDriver): Promise<DeviceServer> {
  let versions = 0
  const self: DeviceServer = {
    server: await driver.start({ endpoints: clientRoutes }),
    async register(name) {
      return { ...(await self.server.register(name)), since: undefined }
    },
    async login({ userId }) {
      const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: userId } }
      const answer = await self.server.request('POST', '/_matrix/client/v3/login', {
        body: { ...body, password: TEST_PASSWORD },
      })
      const json = answer.json() as Record<string, string>
      return { userId, deviceId: json['device_id']!, token: json['access_token']!, since: undefined }
    },
    ask: (as, method, path, body) => ask(self.server, as, method, path, body),
    async call(as, method, path, body) {
      const answer = await ask(self.server, as, method, path, body)
      if (answer.status === 200) return answer.body
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    },
    async sync(as, query = {}) {
      const since = as.since === undefined ? {} : { since: as.since }
      const answer = await self.call(
        as,
        'GET',
        `/sync?${new URLSearchParams({ ...since, ...query }).toString()}`,
      )
      as.since = answer['next_batch'] as string
      return answer
    },
    createRoom: async (by) =>
      (await self.call(by, 'POST', '/createRoom', { preset: 'public_chat' }))['room_id'] as string,
    async join(as, roomId) {
      await self.call(as, 'POST', `/join/${encodeURIComponent(roomId)}`, {})
    },
    async leave(as, roomId) {
      await self.call(as, 'POST', `/rooms/${encodeURIComponent(roomId)}/leave`, {})
    },
    publish: (as, more = {}) =>
      self.call(as, 'POST', '/keys/upload', {
        device_keys: deviceKeysOf(as, { 'org.example.version': ++versions }),
        ...more,
      }),
    async restart() {
      self.server = await self.server.restart()
    },
    [Symbol.asyncDispose]: () => self.server[Symbol.asyncDispose](),
  }
  return self
}
