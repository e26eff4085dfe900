// Test support: a whole server, run as a process that is killed. Alice has numbered messages sent later, under the same
// transaction ids in every run; what was scheduled and what was sent is told on standard output, a line each. When
// nothing is scheduled any more, the room's messages are told, as JSON.
import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { HomeserverConfig } from '../config.ts'
import { dispatch } from '../http/dispatch.ts'
import { silentLogger } from '../ops/log.ts'
import { startHomeserver } from '../server.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { testConfig, TEST_PASSWORD } from '../test-server.ts'

const [folder, more, total] = process.argv.slice(2) as [string, string, string]
const config = testConfig(folder, {
  ...(JSON.parse(more) as Partial<HomeserverConfig>),
  listeners: [{ host: '127.0.0.1', port: 0 }],
  rate_limits: UNLIMITED,
})
const { router, hs } = await startHomeserver(config, {
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
})
const V3 = '/_matrix/client/v3'
const call = async (token: string | undefined, method: string, url: string, body?: JsonObject) => {
  const session = token === undefined ? {} : { token }
  const answer = await dispatch(router, { method, url, ...(body && { body }), ...session })
  return answer.json()
}
/** The same device in every run: transaction ids are the device's. */
async function logIn(name: string): Promise<string> {
  const who = { device_id: name.toUpperCase(), password: TEST_PASSWORD }
  const auth = { type: 'm.login.dummy' }
  const made = await call(undefined, 'POST', `${V3}/register`, { username: name, auth, ...who })
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, ...who }
  const { access_token: token } =
    made['access_token'] === undefined ? await call(undefined, 'POST', `${V3}/login`, login) : made
  assert.ok(typeof token === 'string')
  return token
}
const alice = await logIn('alice')
await call(alice, 'POST', `${V3}/createRoom`, { room_alias_name: 'crash', preset: 'public_chat' })
const alias = encodeURIComponent('#crash:test.example')
const { room_id: roomId } = await call(alice, 'POST', `${V3}/join/${alias}`, {})
const room = `${V3}/rooms/${encodeURIComponent(roomId as string)}`

// Nothing else moves the log from now on.
hs.bus.subscribe(() => process.stdout.write('sent\n'))
for (let number = 0; number < Number(total); number++) {
  const content = { msgtype: 'm.text', body: `m${number}` }
  const delayed = `org.matrix.msc4140.delay=${300 + 20 * (number % 5)}`
  const answer = await call(alice, 'PUT', `${room}/send/m.room.message/t${number}?${delayed}`, content)
  assert.ok(typeof answer['delay_id'] === 'string', JSON.stringify(answer))
  process.stdout.write('scheduled\n')
}
const list = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events'
while (((await call(alice, 'GET', list))['delayed_events'] as unknown[]).length > 0) {
  await systemClock.sleep(20)
}
await hs.delayed.idle()
const { chunk } = await call(alice, 'GET', `${room}/messages?dir=b&limit=500`)
const messages = (chunk as JsonObject[]).filter(({ type }) => type === 'm.room.message')
const texts = messages.map(({ content }) => (content as JsonObject)['body'])
process.stdout.write(`${JSON.stringify(texts)}\n`)
