// Test support: a whole server, run as a process that is killed. A user sends numbered messages into one room with
// members on two other servers, and to their devices, under the same transaction ids in every run.
import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { createHttpSender } from '../../appservice/http-send.ts'
import { dispatch } from '../../http/dispatch.ts'
import type { RawJson } from '../../http/endpoint.ts'
import { silentLogger } from '../../ops/log.ts'
import { startHomeserver } from '../../server.ts'
import { UNLIMITED } from '../../limits/test-limits.ts'
import { testConfig, TEST_PASSWORD } from '../../test-server.ts'
import { FederationError, type FederationClient } from '../federation-client.ts'
import { remoteMember } from './test-peers.ts'

const [folder, database, peersUrl, total] = process.argv.slice(2) as [string, string, string, string]

/** Pauses between attempts are over at once. */
const clock: Clock = {
  ...systemClock,
  setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, ms > 4_000 ? ms : Math.min(ms, 5), options),
}

const http = createHttpSender(systemClock)
const client: FederationClient = {
  async request(server, { method, path, body, signal }) {
    const { text } = await http
      .send({
        method,
        url: `${peersUrl}/${server}${path}`,
        headers: {},
        body: (body as RawJson).text,
        timeoutMs: 60_000,
        signal,
      })
      .catch((cause: unknown) => {
        throw new FederationError(server, { kind: 'unreachable' }, 'the connection broke', cause)
      })
    return JSON.parse(text) as JsonObject
  },
  stream: () => Promise.reject(new Error('nothing is streamed here')),
  heardFrom: () => undefined,
}

const config = testConfig(folder, {
  database: JSON.parse(database),
  listeners: [{ host: '127.0.0.1', port: 0 }],
  rate_limits: UNLIMITED,
})
const { router, hs } = await startHomeserver(config, {
  clock,
  random: systemRandom,
  logger: silentLogger,
  network: { client },
})
const session: { token?: string } = {}
const call = async (method: string, path: string, body: JsonObject): Promise<JsonObject> => {
  const url = `/_matrix/client/v3${path}`
  const answer = await dispatch(router, { method, url, body, ...session })
  return answer.json()
}
// The same device in every run: transaction ids are the device's.
const who = { device_id: 'CRASH', password: TEST_PASSWORD }
const made = await call('POST', '/register', { username: 'alice', auth: { type: 'm.login.dummy' }, ...who })
const identifier = { type: 'm.id.user', user: 'alice' }
const login =
  made['access_token'] === undefined
    ? await call('POST', '/login', { type: 'm.login.password', identifier, ...who })
    : made
session.token = login['access_token'] as string
assert.ok(typeof session.token === 'string', JSON.stringify(login))
await call('POST', '/createRoom', { room_alias_name: 'crash', preset: 'public_chat' })
const alias = encodeURIComponent('#crash:test.example')
const roomId = (await call('POST', `/join/${alias}`, {}))['room_id'] as RoomId
for (const userId of ['@b:b.example', '@c:c.example']) await remoteMember(hs.rooms, roomId, userId, 'join')
for (let number = 0; number < Number(total); number++) {
  const content = { msgtype: 'm.text', body: `m${number}` }
  const room = `/rooms/${encodeURIComponent(roomId)}`
  const answer = await call('PUT', `${room}/send/m.room.message/t${number}`, content)
  const id = answer['event_id']
  assert.ok(typeof id === 'string', JSON.stringify(answer))
  const messages = { '@b:b.example': { D: { n: number } }, '@c:c.example': { D: { n: number } } }
  await call('PUT', `/sendToDevice/m.test/d${number}`, { messages })
  process.stdout.write(`${id}\n`)
}
