// Test support: a whole server that joins a large room fast, and kills itself while the members arrive.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import path from 'node:path'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { dispatch } from '../../http/dispatch.ts'
import { silentLogger, type Logger } from '../../ops/log.ts'
import { startHomeserver } from '../../server.ts'
import { UNLIMITED } from '../../limits/test-limits.ts'
import { findByPort } from '../../test-federation.ts'
import { testConfig, TEST_PASSWORD } from '../../test-server.ts'

interface Orders {
  readonly folder: string
  readonly database: { readonly path: string; readonly url?: string; readonly pool_size: number }
  readonly ports: Readonly<Record<string, number>>
  readonly roomId: string
  readonly via: readonly string[]
  /** After how many stored events it is over; 0: never. */
  readonly killAt: number
}

const { folder, database, ports, roomId, via, killAt } = JSON.parse(process.argv[2]!) as Orders

const onProgress = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
  if (message !== 'members of a room arrive') return
  process.stdout.write(`stored ${String(fields?.['stored'])} of ${String(fields?.['of'])}\n`)
  if (killAt > 0 && (fields?.['stored'] as number) >= killAt) process.kill(process.pid, 'SIGKILL')
}
const logger: Logger = { ...silentLogger, info: onProgress, debug: onProgress, child: () => logger }

const base = testConfig(folder, {
  rate_limits: UNLIMITED,
  server_name: 'joiner.test',
  database,
  listeners: [
    {
      host: '127.0.0.1',
      port: 0,
      tls_cert: path.join(folder, 'joiner.pem'),
      tls_key: path.join(folder, 'joiner.key'),
    },
  ],
})
const federation = {
  ...base.federation,
  allow_private_addresses: ['127.0.0.0/8'],
  ca_certificates: [path.join(folder, 'authority.pem')],
}
const deps = {
  clock: systemClock,
  random: systemRandom,
  logger,
  network: { discovery: findByPort(new Map(Object.entries(ports))) },
}
const server = await startHomeserver({ ...base, federation }, deps)
const { router, hs, urls } = server
process.stdout.write(`port ${new URL(urls[0]!).port}\n`)
// Others have to know the port before they are asked for anything.
await once(process.stdin, 'data')
process.stdin.pause()

const session: { token?: string } = {}
const call = async (method: string, url: string, body?: JsonObject): Promise<JsonObject> => {
  const answer = await dispatch(router, {
    method,
    url: `/_matrix/client/v3${url}`,
    ...(body && { body }),
    ...session,
  })
  assert.equal(answer.status, 200, `${method} ${url}: ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}
const isNew = await dispatch(router, {
  method: 'GET',
  url: '/_matrix/client/v3/register/available?username=bob',
})
if (isNew.status === 200) {
  const made = { username: 'bob', password: TEST_PASSWORD, auth: { type: 'm.login.dummy' } }
  session.token = (await call('POST', '/register', made))['access_token'] as string
  const servers = via.map((server) => `via=${server}`).join('&')
  await call('POST', `/join/${encodeURIComponent(roomId)}?${servers}`, {})
} else {
  const identifier = { type: 'm.id.user', user: 'bob' }
  const login = { type: 'm.login.password', identifier, password: TEST_PASSWORD }
  session.token = (await call('POST', '/login', login))['access_token'] as string
}
// Waits for the members.
const { joined } = await call('GET', `/rooms/${encodeURIComponent(roomId)}/joined_members`)
const left = hs.rooms.partial.list().length
process.stdout.write(`members ${Object.keys(joined as JsonObject).length} partial ${left}\n`)
await server.stop()
