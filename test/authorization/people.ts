import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../../packages/homeserver/accounts/administer.ts'
import { dispatch, type DispatchResponse } from '../../packages/homeserver/http/dispatch.ts'
import { TEST_PASSWORD, type TestLogin, type TestServer } from '../../packages/homeserver/test-server.ts'

/** Stands in all that only its owner may read. */
export const SECRET = 'xyzzy-secret'
/** Stands in what was said in a private room while the banned member was still in it. */
export const HEARD = 'xyzzy-heard'
/** A device of somebody's beside the one that the token is of. */
export const OTHER_DEVICE = 'OTHERDEVICE'

/** Their dehydrated device. */
export const DEHYDRATED = 'DEHYDRATED'
export const dehydratedBody = (userId: string, deviceId: string): JsonObject => ({
  device_id: deviceId,
  device_data: { algorithm: 'org.matrix.msc3814.v2', secret: SECRET },
  device_keys: { user_id: userId, device_id: deviceId, algorithms: [], keys: {}, signatures: {} },
})

/** Somebody with one of everything that an account can have, and a private room. */
export interface Owner extends TestLogin {
  readonly name: string
  readonly roomId: string
  readonly alias: string
  /** Said in the room after the banned member was thrown out. */
  readonly eventId: string
  readonly filterId: string
  readonly mediaId: string
  /** Named, and nothing uploaded to it yet. */
  readonly pendingMediaId: string
  /** Of the key backup. */
  readonly version: string
  /** A sync token. */
  readonly since: string
  /** Of a message that is to be sent tomorrow. */
  readonly delayId: string
}

export const V3 = '/_matrix/client/v3'
const UNSTABLE = '/_matrix/client/unstable'
const THREADS = `${UNSTABLE}/io.element.msc4306`
const DEHYDRATED_PATH = `${UNSTABLE}/org.matrix.msc3814.v1/dehydrated_device`
export const BACKUP = {
  algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
  auth_data: { public_key: SECRET, signatures: {} },
}
export const BACKED_UP = {
  first_message_index: 1,
  forwarded_count: 0,
  is_verified: false,
  session_data: { c: SECRET },
}
export const RULE = { actions: ['notify'], conditions: [], pattern: SECRET }
export const PUSHER = {
  kind: 'http',
  app_id: 'org.example.app',
  pushkey: SECRET,
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
}

/** The smallest PNG. */
export const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

export async function call(
  server: TestServer,
  token: string,
  method: string,
  url: string,
  body?: JsonObject | Uint8Array,
): Promise<JsonObject> {
  const headers = body instanceof Uint8Array ? { 'content-type': 'image/png' } : {}
  const request = { method, url, token, headers, ...(body === undefined ? {} : { body }) }
  const answer: DispatchResponse = await dispatch(server.router, request)
  assert.ok(answer.status < 300, `${method} ${url}: ${answer.status} ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}

let made = 0

/** A private room whose owner is alone, after `banned` was in it and was thrown out. */
async function makeRoom(
  server: TestServer,
  { token, userId }: TestLogin,
  name: string,
  banned: TestLogin | undefined,
): Promise<{ roomId: string; eventId: string }> {
  const say = async (body: string): Promise<string> => {
    made += 1
    const url = `${inRoom}/send/m.room.message/setup${made}`
    return (await call(server, token, 'PUT', url, { msgtype: 'm.text', body }))['event_id'] as string
  }
  const { room_id: roomId } = await call(server, token, 'POST', `${V3}/createRoom`, {
    preset: 'private_chat',
    name: HEARD,
    room_alias_name: name,
  })
  const inRoom = `${V3}/rooms/${encodeURIComponent(roomId as string)}`
  if (banned !== undefined) {
    await call(server, token, 'POST', `${inRoom}/invite`, { user_id: banned.userId })
    await call(server, banned.token, 'POST', `${inRoom}/join`, {})
    await say(HEARD)
    await call(server, token, 'POST', `${inRoom}/ban`, { user_id: banned.userId })
  }
  await call(server, token, 'PUT', `${inRoom}/state/m.room.topic/`, { topic: SECRET })
  const root = await say(SECRET)
  made += 1
  await call(server, token, 'PUT', `${inRoom}/send/m.room.message/setup${made}`, {
    msgtype: 'm.text',
    body: SECRET,
    'm.relates_to': { rel_type: 'm.thread', event_id: root },
  })
  const user = `${V3}/user/${encodeURIComponent(userId)}/rooms/${encodeURIComponent(roomId as string)}`
  await call(server, token, 'PUT', `${user}/account_data/org.example.private`, { mine: SECRET })
  await call(server, token, 'PUT', `${user}/tags/u.${SECRET}`, { order: 0.5 })
  const thread = `/rooms/${encodeURIComponent(roomId as string)}/thread/${encodeURIComponent(root)}`
  await call(server, token, 'PUT', `${THREADS}${thread}/subscription`, {})
  return { roomId: roomId as string, eventId: root }
}

/** Makes somebody who has one of everything. */
export async function makeOwner(server: TestServer, name: string, banned?: TestLogin): Promise<Owner> {
  const login = await server.register(name)
  const { token, userId } = login
  const put = (path: string, body: JsonObject): Promise<JsonObject> =>
    call(server, token, 'PUT', V3 + path, body)
  const post = (path: string, body: JsonObject): Promise<JsonObject> =>
    call(server, token, 'POST', V3 + path, body)
  const room = await makeRoom(server, login, name, banned)
  const user = `/user/${encodeURIComponent(userId)}`
  const identifier = { type: 'm.id.user', user: name }
  const password = { type: 'm.login.password', identifier, password: TEST_PASSWORD }
  await post('/login', { ...password, device_id: OTHER_DEVICE })
  await put(`${user}/account_data/org.example.private`, { mine: SECRET })
  await put('/pushrules/global/content/org.example.rule', { actions: RULE.actions, pattern: RULE.pattern })
  await post('/pushers/set', PUSHER)
  await call(server, token, 'PUT', DEHYDRATED_PATH, dehydratedBody(userId, DEHYDRATED))
  const { filter_id: filterId } = await post(`${user}/filter`, { room: { not_senders: [`@${SECRET}:x.y`] } })
  const { version } = await post('/room_keys/version', BACKUP)
  const keys = `/room_keys/keys/${encodeURIComponent(room.roomId)}/session?version=${version as string}`
  await put(keys, BACKED_UP)
  const uploaded = await call(server, token, 'POST', '/_matrix/media/v3/upload', PICTURE)
  const pending = await call(server, token, 'POST', '/_matrix/media/v1/create')
  const later = `/rooms/${encodeURIComponent(room.roomId)}/send/m.room.message/later?org.matrix.msc4140.delay=80000000`
  const { delay_id: delayId } = await put(later, { msgtype: 'm.text', body: SECRET })
  const { next_batch: since } = await call(server, token, 'GET', `${V3}/sync?timeout=0`)
  const idOf = (answer: JsonObject): string => (answer['content_uri'] as string).split('/').at(-1)!
  return {
    ...login,
    ...room,
    name,
    alias: `#${name}:test.example`,
    filterId: filterId as string,
    mediaId: idOf(uploaded),
    pendingMediaId: idOf(pending),
    version: version as string,
    since: since as string,
    delayId: delayId as string,
  }
}

export async function setFlag(
  server: TestServer,
  { userId }: TestLogin,
  flag: 'admin' | 'locked' | 'suspended',
  value = true,
): Promise<void> {
  await setStanding(server.hs, userId as UserId, flag, value)
}

const LAST_SEEN = /"last_seen_(ts|ip)":("[^"]*"|\d+),?/g

/** All that an owner has, as the owner reads it: the same text as long as nobody touched it. */
export async function readAll(server: TestServer, owner: Owner): Promise<Record<string, string>> {
  const user = `/user/${encodeURIComponent(owner.userId)}`
  const room = `/rooms/${encodeURIComponent(owner.roomId)}`
  const keys = `/room_keys/keys?version=${owner.version}`
  const paths = [
    '/account/whoami',
    '/account/3pid',
    '/devices',
    DEHYDRATED_PATH,
    '/joined_rooms',
    '/pushers',
    '/pushrules/',
    '/room_keys/version',
    keys,
    `/profile/${encodeURIComponent(owner.userId)}`,
    `${user}/account_data/org.example.private`,
    `${user}/filter/${owner.filterId}`,
    `${user}${room}/account_data/org.example.private`,
    `${user}${room}/tags`,
    `${room}/state`,
    `${room}/messages?dir=b&limit=100`,
    `${room}/aliases`,
    `/directory/room/${encodeURIComponent(owner.alias)}`,
    `/directory/list${room.replace('rooms', 'room')}`,
    `${UNSTABLE}/io.element.msc4308/thread_subscriptions?dir=b`,
  ]
  const read: Record<string, string> = {}
  for (const path of paths) {
    const url = path.startsWith(UNSTABLE) ? path : V3 + path
    const answer = await server.request('GET', url, { token: owner.token })
    assert.equal(answer.status, 200, `${path}: ${Buffer.from(answer.bytes).toString()}`)
    read[path] = Buffer.from(answer.bytes)
      .toString()
      .replaceAll(LAST_SEEN, '')
      .replaceAll(/"age":\d+/g, '')
  }
  return read
}
