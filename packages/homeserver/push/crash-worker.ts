// Test support: a whole server, run as a process that is killed. Alice sends numbered messages into a room, under the
// same transaction ids in every run; Bob's pusher leads to the gateway of the process that started this one.
import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemRandom } from '@causeway/store/clock/system.ts'
import type { HomeserverConfig } from '../config.ts'
import { dispatch } from '../http/dispatch.ts'
import { silentLogger } from '../ops/log.ts'
import { startHomeserver } from '../server.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { testConfig, TEST_PASSWORD } from '../test-server.ts'
import { hastyClock, pusherOf } from './test-gateway.ts'

const [folder, more, gatewayUrl, total] = process.argv.slice(2) as [string, string, string, string]
const config = testConfig(folder, {
  ...(JSON.parse(more) as Partial<HomeserverConfig>),
  listeners: [{ host: '127.0.0.1', port: 0 }],
  rate_limits: UNLIMITED,
})
const { router } = await startHomeserver(config, {
  clock: hastyClock(),
  random: systemRandom,
  logger: silentLogger,
})
const call = async (token: string | undefined, method: string, path: string, body: JsonObject) => {
  const session = token === undefined ? {} : { token }
  const answer = await dispatch(router, { method, url: `/_matrix/client/v3${path}`, body, ...session })
  return answer.json()
}
/** The same device in every run: transaction ids are the device's. */
async function logIn(name: string): Promise<string> {
  const who = { device_id: name.toUpperCase(), password: TEST_PASSWORD }
  const auth = { type: 'm.login.dummy' }
  const made = await call(undefined, 'POST', '/register', { username: name, auth, ...who })
  const identifier = { type: 'm.id.user', user: name }
  const login = { type: 'm.login.password', identifier, ...who }
  const { access_token: token } =
    made['access_token'] === undefined ? await call(undefined, 'POST', '/login', login) : made
  assert.ok(typeof token === 'string')
  return token
}
const [alice, bob] = [await logIn('alice'), await logIn('bob')]
await call(alice, 'POST', '/createRoom', { room_alias_name: 'crash', preset: 'public_chat' })
const alias = encodeURIComponent('#crash:test.example')
await call(alice, 'POST', `/join/${alias}`, {})
const room = `/rooms/${encodeURIComponent((await call(bob, 'POST', `/join/${alias}`, {}))['room_id'] as string)}`
await call(bob, 'POST', '/pushers/set', pusherOf(gatewayUrl, 'key', { format: 'event_id_only' }))
for (let number = 0; number < Number(total); number++) {
  const content = { msgtype: 'm.text', body: `m${number}` }
  const answer = await call(alice, 'PUT', `${room}/send/m.room.message/t${number}`, content)
  const id = answer['event_id']
  assert.ok(typeof id === 'string', JSON.stringify(answer))
  process.stdout.write(`${id}\n`)
}
