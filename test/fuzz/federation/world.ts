import assert from 'node:assert/strict'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import { ERRCODE_STATUS } from '@causeway/matrix/errors/errcodes.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startDnsServer, type DnsServer } from '@causeway/testkit/dns-server.ts'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import { HANG_MS, startEvilServer, type EvilServer, type Reply } from './evil-server.ts'
import { addEvent, resign, type EvilRoom } from './evil-room.ts'
import { startServerProcess, type ServerProcess } from './server-process.ts'

/** Names of servers of which nothing is known but what they say of their keys. */
export const KEY_HOSTS = Array.from({ length: 120 }, (_, i) => `k${i}.test`)
/** Names that are followed through well-known documents and SRV records. */
export const ROAD_HOSTS = Array.from({ length: 30 }, (_, i) => `w${i}.test`)

/** Somebody with a client. */
export interface Person {
  readonly userId: UserId
  call(method: string, path: string, body?: unknown): Promise<Reply>
}

export interface World extends AsyncDisposable {
  /** The server under attack. */
  readonly ours: ServerProcess
  readonly honest: ServerProcess
  readonly evil: EvilServer
  readonly dns: DnsServer
  readonly alice: Person
  /** Of another server of ours that means well. */
  readonly bob: Person
  readonly mallory: UserId
  /** Rooms of Alice's that Bob and the enemy are in, who has no power there. */
  readonly rooms: readonly EvilRoom[]
  /** Rooms where the enemy may change state. */
  readonly strong: readonly EvilRoom[]
  /** What is wrong with what was answered. */
  readonly faults: string[]
  /** Requests that were answered. */
  sent: number
  /** Answers from 500 on, each of which needs a line in the log. */
  failures: number
  /** Sends a request of the enemy's, and looks at the answer. */
  attack(what: string, method: string, uri: string, text?: string): Promise<Reply>
  /** A client's request that must succeed whatever others sent. */
  read(who: Person, path: string): Promise<JsonObject>
  /** Notes what is wrong with an answer. */
  judge(what: string, reply: Reply, isOthersFault?: boolean): void
}

const inRoom = (roomId: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`

function parse(reply: Reply): JsonObject {
  try {
    return JSON.parse(reply.text) as JsonObject
  } catch {
    return {}
  }
}

async function registerPerson(server: ServerProcess, username: string): Promise<Person> {
  const login: { token?: string } = {}
  const call = async (method: string, path: string, body?: unknown): Promise<Reply> => {
    const answer = await Promise.race([
      server.ended,
      fetch(new URL(path, server.url), {
        method,
        headers: {
          'content-type': 'application/json',
          ...(login.token === undefined ? {} : { authorization: `Bearer ${login.token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(HANG_MS),
      }),
    ])
    return { status: answer.status, text: await answer.text() }
  }
  const body = { username, password: 'correct horse battery', auth: { type: 'm.login.dummy' } }
  const made = parse(await call('POST', '/_matrix/client/v3/register', body))
  login.token = made['access_token'] as string
  return { userId: made['user_id'] as UserId, call }
}

/** What is wrong with an answer by itself. */
function faultOf(reply: Reply, isOthersFault: boolean): string | undefined {
  if (reply.status >= 500 && !(isOthersFault && (reply.status === 502 || reply.status === 504))) {
    return `status ${reply.status}: ${reply.text.slice(0, 300)}`
  }
  if (reply.status < 400) return undefined
  const { errcode, error } = parse(reply)
  if (typeof errcode !== 'string' || !Object.hasOwn(ERRCODE_STATUS, errcode)) {
    return `status ${reply.status} with errcode ${JSON.stringify(errcode)}: ${reply.text.slice(0, 200)}`
  }
  return typeof error === 'string' && error !== '' ? undefined : 'no sentence for a person'
}

async function mustDo(person: Person, method: string, path: string, body?: unknown): Promise<JsonObject> {
  const reply = await person.call(method, path, body)
  assert.equal(reply.status, 200, `${method} ${path}: ${reply.text}`)
  return parse(reply)
}

/** Joins a room the way any server does. */
async function joinAsEvil(
  ours: ServerProcess,
  evil: EvilServer,
  user: UserId,
  roomId: RoomId,
): Promise<EvilRoom> {
  const v1 = '/_matrix/federation/v1'
  const made = await evil.send(
    ours,
    'GET',
    `${v1}/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(user)}?${['1', '6', '10', '12'].map((one) => `ver=${one}`).join('&')}`,
  )
  assert.equal(made.status, 200, made.text)
  const { event, room_version: version } = parse(made) as { event: JsonObject; room_version: string }
  const rules = findRoomVersion(version)!
  const room: EvilRoom = {
    roomId,
    rules,
    user,
    signer: evil.signer,
    state: new Map(),
    events: new Map(),
    end: undefined,
  }
  const id = rules.eventId === 'embedded' ? { event_id: `$join${roomId.slice(1, 9)}:${evil.name}` } : {}
  const pdu = resign(room, { ...event, ...id }) as Pdu
  const join = toRoomEvent(rules, pdu, sha256)
  const sent = await evil.send(
    ours,
    'PUT',
    `/_matrix/federation/v2/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(join.eventId)}`,
    JSON.stringify(pdu),
  )
  assert.equal(sent.status, 200, sent.text)
  for (const one of parse(sent)['state'] as unknown as Pdu[]) addEvent(room, toRoomEvent(rules, one, sha256))
  addEvent(room, join)
  return room
}

export async function openWorld(): Promise<World> {
  const stack = new AsyncDisposableStack()
  try {
    return await buildWorld(stack)
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function buildWorld(stack: AsyncDisposableStack): Promise<World> {
  const authority = makeAuthority()
  const dns = stack.use(await startDnsServer())
  const hosts = ['notary.test', ...KEY_HOSTS, ...ROAD_HOSTS]
  const evil = stack.use(await startEvilServer(authority, 'evil.test', hosts))
  for (const host of ['ours.test', 'honest.test', 'evil.test', ...hosts]) {
    dns.names.set(host, { addresses: ['127.0.0.1'] })
  }
  const shared = { authority, dns: dns.address, wellKnownPort: evil.port }
  const notaries = [`notary.test:${evil.port}`]
  const [ours, honest] = await Promise.all([
    startServerProcess({ ...shared, host: 'ours.test', notaries }),
    startServerProcess({ ...shared, host: 'honest.test', notaries: [] }),
  ])
  stack.use(ours)
  stack.use(honest)
  const [alice, bob] = await Promise.all([registerPerson(ours, 'alice'), registerPerson(honest, 'bob')])
  const mallory = `@mallory:${evil.name}` as UserId
  const openRoom = async (version: string, isStrong: boolean): Promise<EvilRoom> => {
    const made = await mustDo(alice, 'POST', '/_matrix/client/v3/createRoom', {
      preset: 'public_chat',
      visibility: 'public',
      room_version: version,
      ...(isStrong
        ? {
            power_level_content_override: {
              users: { ...(version === '12' ? {} : { [alice.userId]: 100 }), [mallory]: 50 },
            },
          }
        : {}),
    })
    const roomId = made['room_id'] as RoomId
    if (!isStrong)
      await mustDo(bob, 'POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${ours.name}`, {})
    return joinAsEvil(ours, evil, mallory, roomId)
  }
  const rooms: EvilRoom[] = []
  const strong: EvilRoom[] = []
  for (const version of ['1', '6', '10', '12']) rooms.push(await openRoom(version, false))
  for (const version of ['1', '10', '12']) strong.push(await openRoom(version, true))
  const world: World = {
    ours,
    honest,
    evil,
    dns,
    alice,
    bob,
    mallory,
    rooms,
    strong,
    faults: [],
    sent: 0,
    failures: 0,
    judge(what, reply, isOthersFault = false) {
      world.sent++
      if (reply.status >= 500) world.failures++
      const fault = faultOf(reply, isOthersFault)
      if (fault !== undefined) world.faults.push(`${what}: ${fault}`)
    },
    async attack(what, method, uri, text) {
      try {
        const reply = await Promise.race([ours.ended, evil.send(ours, method, uri, text)])
        world.judge(`${what} (${method} ${uri.slice(0, 120)})`, reply)
        return reply
      } catch (error) {
        world.faults.push(`${what} (${method} ${uri.slice(0, 120)}): no answer: ${String(error)}`)
        return { status: 0, text: '' }
      }
    },
    async read(who, path) {
      const reply = await who.call('GET', path)
      world.judge(`a client reads ${path.slice(0, 100)}`, reply)
      if (reply.status !== 200)
        world.faults.push(`a client reads ${path.slice(0, 100)}: ${reply.status} ${reply.text.slice(0, 200)}`)
      return parse(reply)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
  evil.answer = (asked) => answerHonestly(world, asked.path, asked.query)
  return world
}

/** What it hands out as any server would: the events of its rooms. */
export function answerHonestly(
  { rooms, strong, evil }: Pick<World, 'rooms' | 'strong' | 'evil'>,
  path: string,
  query: URLSearchParams,
): { json: JsonObject } | undefined {
  const [operation = '', first = ''] = path
    .replace('/_matrix/federation/v1/', '')
    .split('/')
    .map(decodeURIComponent)
  if (operation === 'send') return { json: { pdus: {} } }
  const all = [...rooms, ...strong]
  const out = (pdus: readonly RoomEvent[]): JsonObject => ({
    origin: evil.name,
    origin_server_ts: 1,
    pdus: pdus.map(({ pdu }) => pdu) as unknown as JsonObject[],
  })
  if (operation === 'event') {
    const found = all.flatMap((room) => room.events.get(first as EventId) ?? [])
    return found.length === 0 ? undefined : { json: out(found.slice(0, 1)) }
  }
  const room = all.find(({ roomId }) => roomId === first)
  if (room === undefined) return undefined
  const state = [...room.state.values()]
  if (operation === 'state_ids') {
    return { json: { pdu_ids: state.map(({ eventId }) => eventId), auth_chain_ids: [] } }
  }
  if (operation === 'state') return { json: { ...out(state), auth_chain: [] } }
  if (operation === 'event_auth')
    return { json: { auth_chain: state.map(({ pdu }) => pdu) as unknown as JsonObject[] } }
  if (operation === 'backfill')
    return { json: out(query.getAll('v').flatMap((id) => room.events.get(id as EventId) ?? [])) }
  if (operation === 'get_missing_events')
    return {
      json: { events: [...room.events.values()].slice(-10).map(({ pdu }) => pdu) as unknown as JsonObject[] },
    }
  return undefined
}

/** Everything that a client looks at in the rooms of the enemy. */
export async function readEverything(world: World): Promise<void> {
  const { alice, rooms, strong } = world
  await world.read(alice, '/_matrix/client/v3/sync?timeout=0')
  await world.read(alice, '/_matrix/client/v3/publicRooms')
  for (const { roomId } of [...rooms, ...strong]) {
    const at = inRoom(roomId)
    const page = await world.read(alice, `${at}/messages?dir=b&limit=30`)
    await world.read(alice, `${at}/state`)
    await world.read(alice, `${at}/members`)
    await world.read(alice, `${at}/joined_members`)
    await world.read(alice, `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/hierarchy`)
    await world.read(alice, `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/threads`)
    const [newest] = (page['chunk'] ?? []) as JsonObject[]
    const id = newest?.['event_id']
    if (typeof id === 'string') await world.read(alice, `${at}/context/${encodeURIComponent(id)}?limit=5`)
  }
}

/** Each says something in each room, and the other reads it. Resolves with how long the slowest took, in milliseconds. */
export async function talkHonestly(world: World, text: string, now: () => number): Promise<number> {
  const { alice, bob, rooms } = world
  let slowest = 0
  for (const { roomId } of rooms) {
    for (const [speaker, reader] of [
      [bob, alice],
      [alice, bob],
    ] as const) {
      const words = `${text} of ${speaker.userId} in ${roomId}`
      const took = await say(world, { speaker, reader, roomId, words }, now)
      if (took === undefined) world.faults.push(`what ${speaker.userId} says in ${roomId} does not arrive`)
      slowest = Math.max(slowest, took ?? HANG_MS)
    }
  }
  return slowest
}

interface Words {
  readonly speaker: Person
  readonly reader: Person
  readonly roomId: RoomId
  readonly words: string
}

const FILTER = encodeURIComponent(
  JSON.stringify({ presence: { types: [] }, room: { timeline: { limit: 50 } } }),
)

async function say(
  world: World,
  { speaker, reader, roomId, words }: Words,
  now: () => number,
): Promise<number | undefined> {
  let since = (await world.read(reader, `/_matrix/client/v3/sync?timeout=0&filter=${FILTER}`))[
    'next_batch'
  ] as string
  const began = now()
  const path = `${inRoom(roomId)}/send/m.room.message/${encodeURIComponent(words)}`
  const sent = await speaker.call('PUT', path, { msgtype: 'm.text', body: words })
  if (sent.status !== 200) {
    world.faults.push(`${speaker.userId} cannot say anything in ${roomId}: ${sent.text}`)
    return undefined
  }
  while (now() - began < HANG_MS) {
    const answer = await world.read(
      reader,
      `/_matrix/client/v3/sync?timeout=5000&since=${since}&filter=${FILTER}`,
    )
    since = answer['next_batch'] as string
    if (JSON.stringify(answer).includes(words)) return now() - began
  }
  return undefined
}
