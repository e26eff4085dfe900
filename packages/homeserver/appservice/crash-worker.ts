// Test support: a whole server, run as a process that is killed. A user of an appservice that is another process
// sends numbered messages into one room, and at every third to a device of its own, under the same transaction ids in every run.
import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemRandom } from '@causeway/store/clock/system.ts'
import { dispatch } from '../http/dispatch.ts'
import { silentLogger } from '../ops/log.ts'
import { startHomeserver } from '../server.ts'
import { UNLIMITED } from '../limits/test-limits.ts'
import { testConfig } from '../test-server.ts'
import { hastyClock, testRegistration } from './test-appservice.ts'

const [folder, database, registrationFile, total] = process.argv.slice(2) as [string, string, string, string]
const config = testConfig(folder, {
  database: JSON.parse(database),
  listeners: [{ host: '127.0.0.1', port: 0 }],
  appservices: [registrationFile],
  rate_limits: UNLIMITED,
})
const { router, hs } = await startHomeserver(config, {
  clock: hastyClock,
  random: systemRandom,
  logger: silentLogger,
})
const token = testRegistration('irc', null).as_token
const call = async (method: string, path: string, body: JsonObject): Promise<JsonObject> => {
  const answer = await dispatch(router, { method, url: `/_matrix/client/v3${path}`, token, body })
  return answer.json()
}
const alias = '#_irc_crash:test.example'
await call('POST', '/createRoom', { room_alias_name: '_irc_crash' })
const joined = await call('POST', `/join/${encodeURIComponent(alias)}`, {})
const room = `/rooms/${encodeURIComponent(joined['room_id'] as string)}`
const sender = '@_irc_bot:test.example'
await call('PUT', '/devices/CRASH', {})
for (let number = 0; number < Number(total); number++) {
  const content = { msgtype: 'm.text', body: `m${number}` }
  const answer = await call('PUT', `${room}/send/m.room.message/t${number}`, content)
  const id = answer['event_id']
  assert.ok(typeof id === 'string', JSON.stringify(answer))
  if (number % 3 === 0) {
    const messages = { [sender]: { CRASH: { number } } }
    const sent = await call('PUT', `/sendToDevice/org.example.note/d${number}`, { messages })
    assert.deepEqual(sent, {})
  }
  // One by one, so that there are many transactions to be interrupted.
  await hs.appservices.reached(hs.log.head())
  process.stdout.write(`${id}\n`)
}
