// Test support: a whole server, run as a process that is killed. Alice has a user of another server invited later; when
// nothing is scheduled any more, the invitations of the room are told, as JSON.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import path from 'node:path'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { dispatch } from '../http/dispatch.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { silentLogger } from '../ops/log.ts'
import { startHomeserver } from '../server.ts'
import { findByPort } from '../test-federation.ts'
import { testConfig, TEST_PASSWORD } from '../test-server.ts'

export interface Orders {
  readonly folder: string
  readonly serverName: string
  readonly database: { readonly path: string; readonly url?: string; readonly pool_size: number }
  readonly ports: Readonly<Record<string, number>>
  readonly invited: string
  /** The first run, which makes the room and has the invitation sent later. */
  readonly isFirst: boolean
  /** Whether it ends by its own hand when the invitation has just been written. */
  readonly diesWritten: boolean
}

const orders = JSON.parse(process.argv[2]!) as Orders
const { folder, serverName, database, ports, invited } = orders

const base = testConfig(folder, {
  rate_limits: UNLIMITED,
  server_name: serverName,
  database,
  listeners: [
    {
      host: '127.0.0.1',
      port: 0,
      tls_cert: path.join(folder, 'own.pem'),
      tls_key: path.join(folder, 'own.key'),
    },
  ],
})
const federation = {
  ...base.federation,
  allow_private_addresses: ['127.0.0.0/8'],
  ca_certificates: [path.join(folder, 'authority.pem')],
}
const server = await startHomeserver(
  { ...base, federation },
  {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    network: { discovery: findByPort(new Map(Object.entries(ports))) },
  },
)
const { router, hs, urls } = server

const session: { token?: string } = {}
const call = async (method: string, url: string, body?: JsonObject): Promise<JsonObject> => {
  const answer = await dispatch(router, {
    method,
    url: `/_matrix/client${url}`,
    ...(body && { body }),
    ...session,
  })
  assert.equal(answer.status, 200, `${method} ${url}: ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}
const who = { password: TEST_PASSWORD, device_id: 'ALICE' }
if (orders.isFirst) {
  const made = { username: 'alice', auth: { type: 'm.login.dummy' }, ...who }
  session.token = (await call('POST', '/v3/register', made))['access_token'] as string
  await call('POST', '/v3/createRoom', { room_alias_name: 'crash' })
} else {
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, ...who }
  session.token = (await call('POST', '/v3/login', login))['access_token'] as string
}
const alias = encodeURIComponent(`#crash:${serverName}`)
const { room_id: roomId } = await call('GET', `/v3/directory/room/${alias}`)
const room = `/v3/rooms/${encodeURIComponent(roomId as string)}`

// The first event from now on is the invitation: nobody is asked to sign it before the port is known. It is durable, and
// nobody here has heard of that.
const append = hs.log.append.bind(hs.log)
if (orders.diesWritten) {
  Object.assign(hs.log, {
    append: async (...[write]: Parameters<typeof append>) => {
      const result = await append(write)
      if (write.entries.some(({ kind }) => kind === 'event')) process.kill(process.pid, 'SIGKILL')
      return result
    },
  })
}
process.stdout.write(`port ${new URL(urls[0]!).port}\n`)
await once(process.stdin, 'data')
process.stdin.pause()

if (orders.isFirst) {
  const delayed = `${room}/state/m.room.member/${encodeURIComponent(invited)}?org.matrix.msc4140.delay=1`
  const answer = await call('PUT', delayed, { membership: 'invite' })
  assert.ok(typeof answer['delay_id'] === 'string', JSON.stringify(answer))
}
const list = '/unstable/org.matrix.msc4140/delayed_events'
while (((await call('GET', list))['delayed_events'] as unknown[]).length > 0) await systemClock.sleep(20)
await hs.delayed.idle()
const { chunk } = await call('GET', `${room}/messages?dir=b&limit=100`)
const invitations = (chunk as JsonObject[]).filter(({ state_key: key }) => key === invited)
process.stdout.write(`${JSON.stringify(invitations.map(({ event_id: id }) => id))}\n`)
await server.stop()
