import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DeviceId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { openDiskBlobs } from '@causeway/store/blobs/disk.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { createRegistry } from '../appservice/registry.ts'
import type { HomeserverConfig } from '../config.ts'
import { createSigner } from '../crypto/signing-key.ts'
import type { Homeserver } from '../homeserver.ts'
import { createTrustedProxies } from '../http/client-ip.ts'
import { dispatch, type DispatchRequest, type DispatchResponse } from '../http/dispatch.ts'
import type { AnyEndpoint, Session } from '../http/endpoint.ts'
import { RateLimiter } from '../http/rate-limit.ts'
import { Router } from '../http/router.ts'
import { createMediaState } from '../media/media-state.ts'
import { silentLogger } from '../ops/log.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { createRoom } from './create-room.ts'
import { getOneRoomEvent } from './get-event.ts'
import { getRoomEvents } from './get-messages.ts'
import { createTransactions } from './idempotent.ts'
import { inviteUser, joinRoom, leaveRoom } from './membership-endpoints.ts'
import { redactEvent } from './redact-event.ts'
import { getRoomStateWithKey } from './room-state-endpoints.ts'
import { sendMessageEvent } from './send-message-event.ts'
import { setRoomStateWithKey } from './set-room-state.ts'

/** Rooms as far as tests of other operations need them. */
const roomEndpoints: readonly AnyEndpoint[] = [
  createRoom,
  joinRoom,
  leaveRoom,
  inviteUser,
  sendMessageEvent,
  redactEvent,
  setRoomStateWithKey,
  getRoomStateWithKey,
  getOneRoomEvent,
  getRoomEvents,
]

export interface TestServer extends AsyncDisposable {
  readonly hs: Homeserver
  readonly router: Router
  /** A request as the user `@<who>:test` (an administrator where the name says so), or as nobody. */
  send(who: string | undefined, request: DispatchRequest): Promise<DispatchResponse>
  /** The same with a JSON answer; throws unless the status is 200. */
  call(who: string | undefined, method: string, url: string, body?: JsonObject): Promise<JsonObject>
  /** Sends a message event and gives its id. */
  say(who: string, roomId: string, content: JsonObject, type?: string): Promise<string>
}

function sessionOf(name: string): Session {
  return {
    userId: `@${name}:test` as UserId,
    deviceId: `DEVICE${name}` as DeviceId,
    isAdmin: name === 'admin',
    isGuest: false,
    appserviceId: undefined,
    tokenNid: 1,
  }
}

/** Test support: the client API over a real database, without accounts: whoever is named is logged in. */
export async function openTestServer(
  database: DatabaseConfig,
  endpoints: readonly AnyEndpoint[],
  config: Partial<HomeserverConfig> = {},
): Promise<TestServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'client-'))
  const { engine, db, ...opened } = await openTestEngine(database)
  const signer = createSigner('test' as ServerName, {
    keyId: 'ed25519:t' as never,
    seed: new Uint8Array(32).fill(7),
  })
  const serverName = 'test' as ServerName
  const hs = {
    serverName,
    config: {
      default_room_version: '12',
      public_base_url: 'https://matrix.test',
      media: {
        path: folder,
        max_upload_size: 1024 * 1024,
        max_image_pixels: 4_000_000,
        unauthenticated_downloads: true,
      },
      ...config,
    } as HomeserverConfig,
    logger: silentLogger,
    db,
    log: engine.log,
    blobs: await openDiskBlobs(folder, systemRandom),
    clock: systemClock,
    random: systemRandom,
    budget: engine.budget,
    appservices: { registry: createRegistry(serverName, []) },
    rooms: engine,
    signer,
    media: createMediaState(signer, systemClock),
    transactions: createTransactions({ db, clock: systemClock }, 100),
  } as unknown as Homeserver
  const unlimited = new Proxy({}, { get: () => ({ perSecond: 0, burst: 1 }) })
  const router = new Router({
    hs,
    endpoints: [...roomEndpoints, ...endpoints],
    findSession: (token) => sessionOf(token),
    rateLimiter: new RateLimiter(unlimited as never, systemClock),
    proxies: createTrustedProxies([]),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
  })
  let txn = 0
  const server: TestServer = {
    hs,
    router,
    send: (who, request) => dispatch(router, { ...request, ...(who === undefined ? {} : { token: who }) }),
    async call(who, method, url, body) {
      const answer = await server.send(who, { method, url, ...(body === undefined ? {} : { body }) })
      const json = answer.json()
      if (answer.status !== 200) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(json)}`)
      return json
    },
    async say(who, roomId, content, type = 'm.room.message') {
      const url = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/${type}/t${txn++}`
      return (await server.call(who, 'PUT', url, content))['event_id'] as string
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      await hs.blobs[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
  return server
}
