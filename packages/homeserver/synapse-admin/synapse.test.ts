import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { startSynapse, type Synapse } from '@causeway/testkit/synapse.ts'
import { findServerDrivers, testConfig } from '../test-server.ts'
import { adminEndpoints } from './test-admin.ts'

// The same requests to a real Synapse and to ours: what it tells, ours tells, in the same shape.

const SECRET = 'a-shared-secret'
const found = await startSynapse({ extra: [`registration_shared_secret: ${SECRET}`] })
const skip = 'skip' in found ? found.skip : false
if (skip !== false) console.log(`Synapse: skipped: ${skip}`)
const [sqlite] = await findServerDrivers()

interface Answer {
  readonly status: number
  readonly body: JsonObject
}
type Ask = (method: string, path: string, token?: string, body?: JsonObject) => Promise<Answer>

/** One of the two servers, with the same people and the same room. */
interface Side {
  readonly ask: (method: string, path: string, body?: JsonObject) => Promise<Answer>
  /** What stands for `{alice}`, `{room}` and so on in a path. */
  readonly names: Record<string, string>
}

const segment = encodeURIComponent

async function register(ask: Ask, username: string, isAdmin: boolean): Promise<JsonObject> {
  const path = '/_synapse/admin/v1/register'
  const nonce = (await ask('GET', path)).body['nonce'] as string
  const password = 'correct horse battery'
  const parts = [nonce, username, password, isAdmin ? 'admin' : 'notadmin']
  const mac = createHmac('sha1', SECRET).update(parts.join('\0')).digest('hex')
  const { status, body } = await ask('POST', path, undefined, {
    nonce,
    username,
    password,
    admin: isAdmin,
    mac,
  })
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

async function open(ask: Ask): Promise<Side> {
  const [root, alice] = [await register(ask, 'root', true), await register(ask, 'alice', false)]
  const as = async (who: JsonObject, method: string, path: string, body: JsonObject): Promise<JsonObject> => {
    const answer = await ask(method, path, who['access_token'] as string, body)
    assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const v3 = '/_matrix/client/v3'
  const { room_id: room } = await as(alice, 'POST', `${v3}/createRoom`, {
    name: 'Hall',
    topic: 'all',
    preset: 'public_chat',
    room_alias_name: 'hall',
  })
  const inRoom = `${v3}/rooms/${segment(room as string)}`
  const message = { msgtype: 'm.text', body: 'hello' }
  const { event_id: event } = await as(alice, 'PUT', `${inRoom}/send/m.room.message/1`, message)
  await as(root, 'POST', `${v3}/join/${segment(room as string)}`, {})
  await as(root, 'POST', `${inRoom}/report/${segment(event as string)}`, { reason: 'rude' })
  const user = `${v3}/user/${segment(alice['user_id'] as string)}`
  await as(alice, 'PUT', `${user}/account_data/org.example.one`, { a: 1 })
  const { content_uri: mxc } = await as(alice, 'POST', '/_matrix/media/v3/upload', { some: 'bytes' })
  const picture = { msgtype: 'm.image', body: 'a picture', url: mxc! }
  await as(alice, 'PUT', `${inRoom}/send/m.room.message/2`, picture)
  await as(root, 'POST', `${v3}/users/${segment(alice['user_id'] as string)}/report`, { reason: 'rude' })
  return {
    ask: (method, path, body) => ask(method, `/_synapse/admin${path}`, root['access_token'] as string, body),
    names: {
      root: segment(root['user_id'] as string),
      alice: segment(alice['user_id'] as string),
      device: segment(alice['device_id'] as string),
      room: segment(room as string),
      event: segment(event as string),
      media: (mxc as string).split('/').at(-1)!,
    },
  }
}

/** In their order: what ends something stands last. */
const REQUESTS: readonly (readonly [method: string, path: string, body?: JsonObject])[] = [
  ['GET', '/v1/server_version'],
  ['GET', '/v2/users?limit=1'],
  ['GET', '/v3/users?name=ali&order_by=creation_ts&dir=b'],
  ['GET', '/v2/users/{alice}'],
  ['GET', '/v2/users/%40nobody%3Alocalhost'],
  ['GET', '/v2/users/%40x%3Aelsewhere.example'],
  ['GET', '/v1/users/{alice}/admin'],
  ['GET', '/v1/users/{alice}/joined_rooms'],
  ['GET', '/v1/users/{alice}/memberships'],
  ['GET', '/v1/users/{alice}/accountdata'],
  ['GET', '/v1/users/{alice}/pushers'],
  ['GET', '/v1/users/{alice}/media'],
  ['GET', '/v2/users/{alice}/devices'],
  ['GET', '/v2/users/{alice}/devices/{device}'],
  ['POST', '/v2/users/{alice}/devices', { device_id: 'SPARE' }],
  ['PUT', '/v2/users/{alice}/devices/SPARE', { display_name: 'Spare' }],
  ['POST', '/v2/users/{alice}/delete_devices', { devices: ['SPARE'] }],
  ['GET', '/v1/users/{alice}/override_ratelimit'],
  ['POST', '/v1/users/{alice}/override_ratelimit', { messages_per_second: 5, burst_count: 9 }],
  ['GET', '/v1/users/{alice}/override_ratelimit'],
  ['DELETE', '/v1/users/{alice}/override_ratelimit'],
  ['GET', '/v1/username_available?username=somebody'],
  ['GET', '/v1/username_available?username=alice'],
  ['GET', '/v1/threepid/email/users/nobody%40example.org'],
  ['GET', '/v1/auth_providers/oidc/users/nobody'],
  ['PUT', '/v2/users/{alice}', { displayname: 'Alice A.', locked: false }],
  ['PUT', '/v1/suspend/{alice}', { suspend: false }],
  ['POST', '/v1/users/{alice}/shadow_ban', {}],
  ['GET', '/v2/users/{alice}'],
  ['DELETE', '/v1/users/{alice}/shadow_ban', {}],
  ['GET', '/v1/users/{alice}/sent_invite_count?from_ts=0'],
  ['GET', '/v1/users/{alice}/cumulative_joined_room_count?from_ts=0'],
  ['POST', '/v1/users/{alice}/_allow_cross_signing_replacement_without_uia', {}],
  ['POST', '/v1/users/{alice}/login', {}],
  ['GET', '/v1/rooms?search_term=hall&order_by=joined_members'],
  ['GET', '/v1/rooms?search_term='],
  ['GET', '/v1/rooms/{room}'],
  ['GET', '/v1/rooms/%21nowhere%3Alocalhost'],
  ['GET', '/v1/rooms/{room}/members'],
  ['GET', '/v1/rooms/{room}/state?type=m.room.name'],
  ['GET', '/v1/rooms/{room}/messages?dir=b&limit=1'],
  ['GET', '/v1/rooms/{room}/context/{event}?limit=2'],
  ['GET', '/v1/rooms/{room}/timestamp_to_event?ts=1&dir=f'],
  ['GET', '/v1/rooms/{room}/timestamp_to_event?ts=1&dir=b'],
  ['GET', '/v1/rooms/{room}/hierarchy?limit=5'],
  ['GET', '/v1/fetch_event/{event}'],
  ['GET', '/v1/fetch_event/%24nothing'],
  ['GET', '/v1/rooms/{room}/forward_extremities'],
  ['GET', '/v1/rooms/{room}/block'],
  ['PUT', '/v1/rooms/{room}/block', { block: true }],
  ['GET', '/v1/rooms/{room}/block'],
  ['PUT', '/v1/rooms/{room}/block', { block: false }],
  ['POST', '/v1/rooms/{room}/make_room_admin', { user_id: '@root:localhost' }],
  ['POST', '/v1/registration_tokens/new', { token: 'friends', uses_allowed: 2 }],
  ['GET', '/v1/registration_tokens'],
  ['GET', '/v1/registration_tokens/friends'],
  ['PUT', '/v1/registration_tokens/friends', { uses_allowed: null }],
  ['DELETE', '/v1/registration_tokens/friends'],
  ['DELETE', '/v1/registration_tokens/friends'],
  ['GET', '/v1/event_reports'],
  ['GET', '/v1/event_reports/99999'],
  ['GET', '/v1/user_reports'],
  ['GET', '/v1/user_reports/1'],
  ['GET', '/v1/user_reports/99999'],
  ['GET', '/v1/user_reports?target_user_id=ali&dir=f'],
  ['DELETE', '/v1/user_reports/99999'],
  ['GET', '/v1/federation/destinations'],
  ['GET', '/v1/federation/destinations/nowhere.example'],
  ['GET', '/v1/statistics/users/media'],
  ['GET', '/v1/media/localhost/{media}'],
  ['GET', '/v1/media/localhost/nothing'],
  ['GET', '/v1/room/{room}/media'],
  ['POST', '/v1/media/protect/{media}'],
  ['POST', '/v1/room/{room}/media/quarantine'],
  ['POST', '/v1/media/unprotect/{media}'],
  ['POST', '/v1/media/unprotect/nothing'],
  ['POST', '/v1/media/quarantine/localhost/{media}'],
  ['GET', '/v1/users/{alice}/media'],
  ['GET', '/v1/media/localhost/{media}'],
  ['POST', '/v1/media/unquarantine/localhost/{media}'],
  ['POST', '/v1/media/unquarantine/localhost/{media}'],
  ['POST', '/v1/quarantine_media/{room}'],
  ['POST', '/v1/user/{alice}/media/quarantine'],
  ['POST', '/v1/media/delete?before_ts=40000000000'],
  ['POST', '/v1/media/delete?before_ts=1'],
  ['POST', '/v1/purge_media_cache?before_ts=40000000000'],
  ['DELETE', '/v1/media/localhost/nothing'],
  ['GET', '/v1/scheduled_tasks?status=failed'],
  ['POST', '/v1/user/{alice}/redact', { rooms: [] }],
  ['GET', '/v1/user/redact_status/nothing'],
  ['POST', '/v1/purge_history/{room}', {}],
  ['POST', '/v1/purge_history/{room}/%24nothing', {}],
  ['POST', '/v1/purge_history/%21nowhere%3Alocalhost/{event}', {}],
  ['POST', '/v1/purge_history/{room}/{event}', { delete_local_events: true }],
  ['GET', '/v1/purge_history_status/{purge}'],
  ['GET', '/v1/purge_history_status/nothing'],
  ['GET', '/v2/rooms/delete_status/nothing'],
  ['DELETE', '/v1/rooms/{room}', { purge: true }],
  ['DELETE', '/v2/rooms/%21nowhere2%3Alocalhost', { block: true }],
  ['DELETE', '/v1/users/{alice}/media'],
  ['POST', '/v1/reset_password/{alice}', { new_password: 'another password' }],
  ['POST', '/v1/deactivate/{alice}', { erase: true }],
]

/** Objects whose keys are names: of devices, rooms, types, users. */
const BY_NAME = new Set([
  'devices',
  'memberships',
  'global',
  'rooms',
  'failed_redactions',
  'content',
  'unsigned',
  'signatures',
])

/** What theirs has and ours lacks, or has in another type; null stands for any. */
function missing(theirs: JsonValue, ours: JsonValue | undefined, path: string): string[] {
  if (ours === undefined) return [`${path} is missing`]
  if (theirs === null || ours === null) return []
  if (Array.isArray(theirs)) {
    if (!Array.isArray(ours)) return [`${path} is no list`]
    return theirs.length === 0 || ours.length === 0 ? [] : missing(theirs[0]!, ours[0], `${path}[0]`)
  }
  if (typeof theirs !== typeof ours || Array.isArray(ours))
    return [`${path} is ${typeof ours}, not ${typeof theirs}`]
  if (typeof theirs !== 'object' || typeof ours !== 'object') return []
  return Object.entries(theirs).flatMap(([key, value]) =>
    BY_NAME.has(key) && !Array.isArray(value) ? [] : missing(value, ours[key], `${path}.${key}`),
  )
}

/**
 * Who used which browser is not kept here; events have no keys of before version 2 of the client API; and on SQLite a
 * Synapse lets a number through where it means a boolean.
 */
const NOT_OURS =
  /(user_agent|\.age|prev_content|replaces_state) is missing$|(state|chunk|event|events_before|events_after)(\[0\])?\.user_id is missing$|(authenticated|safe_from_quarantine) is boolean/

describe('Synapse’s interface beside Synapse’s own', { skip }, () => {
  const synapse = found as Synapse
  let ours: Side
  let theirs: Side
  let stop: () => PromiseLike<void>
  before(async () => {
    const { registration } = testConfig('', {})
    const server = await sqlite!.start({
      endpoints: adminEndpoints,
      config: { server_name: 'localhost', registration: { ...registration, shared_secret: SECRET } },
    })
    stop = async () => server[Symbol.asyncDispose]()
    ours = await open(async (method, path, token, body) => {
      const answer = await server.request(method, path, {
        ...(token === undefined ? {} : { token }),
        ...(body === undefined ? {} : { body }),
      })
      return { status: answer.status, body: answer.json() }
    })
    theirs = await open(async (method, path, token, body) => {
      const answer = await fetch(`${synapse.url}${path}`, {
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: answer.status, body: (await answer.json()) as JsonObject }
    })
  })
  after(async () => {
    await stop()
    await synapse[Symbol.asyncDispose]()
  })

  it('answers with the same status, and has all that Synapse has, in the same shape', async () => {
    const differences: string[] = []
    for (const [method, path, body] of REQUESTS) {
      const send = async ({ ask, names }: Side): Promise<Answer> => {
        const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name]!)
        const answer = await ask(method, filled, body)
        // Asked about later.
        const purge = answer.body['purge_id']
        if (typeof purge === 'string') names['purge'] = purge
        return answer
      }
      const [a, b] = [await send(theirs), await send(ours)]
      const name = `${method} ${path}`
      if (a.status !== b.status)
        differences.push(
          `${name}: ${b.status}, not ${a.status} ${JSON.stringify(a.body)} ${JSON.stringify(b.body)}`,
        )
      else if (a.status < 400)
        differences.push(...missing(a.body, b.body, name).filter((one) => !NOT_OURS.test(one)))
    }
    assert.deepEqual(differences, [])
  })
})
