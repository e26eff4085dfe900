// Test support: a whole server, run as a process that is killed. Alice says one numbered message in each of numbered
// rooms, under the same transaction ids in every run; Bob is told of them by e-mail, by the mail server of the process that
// started this one, in the name of the run. Nobody waits: a message is missed as soon as it is there.
import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { insertThreepid } from '@causeway/store/tables/threepids.ts'
import type { HomeserverConfig } from '../../config.ts'
import { dispatch } from '../../http/dispatch.ts'
import { silentLogger } from '../../ops/log.ts'
import { startHomeserver } from '../../server.ts'
import { UNLIMITED } from '../../limits/test-limits.ts'
import { testConfig, TEST_PASSWORD } from '../../test-server.ts'
import { mailConfig, mailPusher } from './test-digest.ts'

const [folder, more, port, total, from] = process.argv.slice(2) as [string, string, string, string, string]
const ADDRESS = 'bob@mail.example'
const config = testConfig(folder, {
  ...(JSON.parse(more) as Partial<HomeserverConfig>),
  ...mailConfig(Number(port), { notifications_after: 0, from }),
  listeners: [{ host: '127.0.0.1', port: 0 }],
  rate_limits: UNLIMITED,
})
// Pauses between attempts are over at once.
const clock = {
  ...systemClock,
  setTimeout: (fn: () => void, ms: number, options?: { unref?: boolean }) =>
    systemClock.setTimeout(fn, ms === 15_000 ? 5 : ms, options),
}
const { router, hs } = await startHomeserver(config, { clock, random: systemRandom, logger: silentLogger })
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
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: name }, ...who }
  const { access_token: token } =
    made['access_token'] === undefined ? await call(undefined, 'POST', '/login', login) : made
  assert.ok(typeof token === 'string')
  return token
}
const [alice, bob] = [await logIn('alice'), await logIn('bob')]
const row = {
  medium: 'email',
  address: ADDRESS,
  user_id: '@bob:test.example',
  validated_ts: 1,
  added_ts: 1,
} as const
// Refused in all runs but the first.
await hs.db.commit({ entries: [], steps: [insertThreepid(row)] })
await call(bob, 'POST', '/pushers/set', mailPusher(ADDRESS))
for (let number = 0; number < Number(total); number++) {
  const alias = encodeURIComponent(`#crash${number}:test.example`)
  await call(alice, 'POST', '/createRoom', { room_alias_name: `crash${number}`, preset: 'public_chat' })
  await call(bob, 'POST', `/join/${alias}`, {})
  const { room_id: roomId } = await call(alice, 'POST', `/join/${alias}`, {})
  const room = `/rooms/${encodeURIComponent(roomId as string)}`
  const content = { msgtype: 'm.text', body: `m${number};` }
  const answer = await call(alice, 'PUT', `${room}/send/m.room.message/t${number}`, content)
  assert.ok(typeof answer['event_id'] === 'string', JSON.stringify(answer))
}
