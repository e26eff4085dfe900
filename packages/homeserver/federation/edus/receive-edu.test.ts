import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { findServerDrivers, type ServerDriver, type TestServer } from '../../test-server.ts'
import { createTestPeers, joinFromElsewhere } from '../test-peers.ts'
import { MAX_EDUS, receiveEdus } from './receive-edu.ts'

const FAR = 'far.example' as ServerName
const EVIL = 'evil.example' as ServerName
const RITA = '@rita:far.example'
const ALICE = '@alice:here.example'
/** Times that what shall not cost a write is done. */
const TIMES = 40

interface Scene extends AsyncDisposable {
  server: TestServer
  roomId: string
  deviceId: string
  receive(origin: ServerName, ...edus: JsonObject[]): Promise<void>
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** What is new for Alice. */
  sync(): Promise<JsonObject>
  say(): Promise<string>
  refused(type: string): number
}

async function open(driver: ServerDriver): Promise<Scene> {
  const server = await createTestPeers().start(driver, 'here.example')
  const { token, deviceId } = await server.register('alice')
  let since = ''
  let txn = 0
  const scene: Scene = {
    server,
    deviceId,
    roomId: '',
    receive: (origin, ...edus) => receiveEdus(server.hs, origin, edus),
    async call(method, path, body) {
      const url = `/_matrix/client/v3${path}`
      const answer = await server.request(method, url, { token, ...(body && { body }) })
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    },
    async sync() {
      const answer = await scene.call('GET', `/sync${since === '' ? '' : `?since=${since}`}`)
      since = answer['next_batch'] as string
      return answer
    },
    async say() {
      const path = `/rooms/${encodeURIComponent(scene.roomId)}/send/m.room.message/t${txn++}`
      return (await scene.call('PUT', path, { msgtype: 'm.text', body: 'hi' }))['event_id'] as string
    },
    refused: (type) =>
      server.hs.eduTally.figures().find((one) => one.type === type && one.outcome === 'refused')?.n ?? 0,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  const made = await scene.call('POST', '/createRoom', { preset: 'public_chat' })
  scene.roomId = made['room_id'] as string
  await joinFromElsewhere(server, scene.roomId, RITA)
  await scene.sync()
  // That Alice herself is there is news to her.
  await scene.sync()
  return scene
}

const edu = (type: string, content: JsonObject): JsonObject => ({ edu_type: type, content })

function ephemeral(sync: JsonObject, roomId: string): JsonObject[] {
  const rooms = (sync['rooms'] as JsonObject | undefined)?.['join'] as JsonObject | undefined
  const room = rooms?.[roomId] as JsonObject | undefined
  return ((room?.['ephemeral'] as JsonObject | undefined)?.['events'] ?? []) as JsonObject[]
}

function eventsOf(sync: JsonObject, section: string): JsonObject[] {
  return ((sync[section] as JsonObject | undefined)?.['events'] ?? []) as JsonObject[]
}

/** Asserts that `run` costs no write: what is done in the background meanwhile is far from one for each time. */
async function assertWithoutWrite(server: TestServer, run: () => Promise<unknown>): Promise<void> {
  const writes = (): number => (server.hs.db as unknown as { stats: { writes: number } }).stats.writes
  const before = writes()
  for (let n = 0; n < TIMES; n++) await run()
  assert.ok(writes() - before < TIMES / 2, `${writes() - before} writes`)
}

for (const driver of await findServerDrivers()) {
  describe(`what other servers send beside events, on ${driver.name}`, { skip: driver.skip }, () => {
    it('typing reaches clients, of members only and by their own server, without a write', async () => {
      await using scene = await open(driver)
      const typing = (userId: string, isTyping: boolean, roomId = scene.roomId): JsonObject =>
        edu('m.typing', { room_id: roomId, user_id: userId, typing: isTyping })
      await assertWithoutWrite(scene.server, () =>
        scene.receive(
          FAR,
          typing(RITA, false),
          typing(RITA, true),
          typing('@out:far.example', true),
          typing(RITA, true, '!no:where'),
        ),
      )
      assert.equal(scene.refused('m.typing'), 2 * TIMES)
      const news = ephemeral(await scene.sync(), scene.roomId)
      assert.deepEqual(news, [{ type: 'm.typing', content: { user_ids: [RITA] } }])
      await scene.receive(EVIL, typing(RITA, false), typing(ALICE, true))
      assert.deepEqual(ephemeral(await scene.sync(), scene.roomId), [])
      await scene.receive(FAR, typing(RITA, false))
      assert.deepEqual(ephemeral(await scene.sync(), scene.roomId), [
        { type: 'm.typing', content: { user_ids: [] } },
      ])
    })

    it('a server that the room bars is not heard there', async () => {
      await using scene = await open(driver)
      const path = `/rooms/${encodeURIComponent(scene.roomId)}/state/m.room.server_acl`
      await scene.call('PUT', path, { allow: ['*'], deny: ['far.example'] })
      const eventId = await scene.say()
      await scene.receive(
        FAR,
        edu('m.typing', { room_id: scene.roomId, user_id: RITA, typing: true }),
        edu('m.receipt', {
          [scene.roomId]: { 'm.read': { [RITA]: { event_ids: [eventId], data: { ts: 1 } } } },
        }),
      )
      assert.deepEqual(ephemeral(await scene.sync(), scene.roomId), [])
    })

    it('presence reaches those who share a room, without a write, and nobody else', async () => {
      await using scene = await open(driver)
      const push = (userId: string, presence: string, more: JsonObject = {}): JsonObject =>
        edu('m.presence', { push: [{ user_id: userId, presence, last_active_ago: 5_000, ...more }] })
      await assertWithoutWrite(scene.server, () =>
        scene.receive(
          FAR,
          push(RITA, 'offline'),
          push(RITA, 'online', { status_msg: 'hello', currently_active: true }),
          push('@stranger:far.example', 'online'),
        ),
      )
      assert.equal(scene.refused('m.presence'), TIMES)
      const [event, ...others] = eventsOf(await scene.sync(), 'presence')
      assert.deepEqual(others, [])
      assert.equal(event!['sender'], RITA)
      const { last_active_ago: ago, ...content } = event!['content'] as JsonObject
      assert.deepEqual(content, { presence: 'online', status_msg: 'hello', currently_active: true })
      assert.ok((ago as number) >= 5_000)
      await scene.receive(EVIL, push(RITA, 'offline'))
      assert.deepEqual(eventsOf(await scene.sync(), 'presence'), [])
      await scene.receive(FAR, push(RITA, 'offline'))
      const [last] = eventsOf(await scene.sync(), 'presence')
      assert.equal((last!['content'] as JsonObject)['presence'], 'offline')
    })

    it('receipts move forward only, by thread; one that comes before its event counts least', async () => {
      await using scene = await open(driver)
      const [first, second] = [await scene.say(), await scene.say()]
      await scene.sync()
      const receipt = (userId: string, eventId: string, data: JsonObject = { ts: 1234 }): JsonObject =>
        edu('m.receipt', { [scene.roomId]: { 'm.read': { [userId]: { event_ids: [eventId], data } } } })
      const told = async (): Promise<unknown> => ephemeral(await scene.sync(), scene.roomId)[0]?.['content']
      await scene.receive(FAR, receipt(RITA, second))
      assert.deepEqual(await told(), { [second]: { 'm.read': { [RITA]: { ts: 1234 } } } })
      await scene.receive(
        FAR,
        receipt(RITA, first),
        receipt(RITA, '$unknown'),
        receipt('@out:far.example', second),
      )
      await scene.receive(EVIL, receipt(RITA, second, { ts: 99 }), receipt(ALICE, second))
      assert.equal(await told(), undefined)
      await scene.receive(FAR, receipt(RITA, '$early', { ts: 4, thread_id: 'main' }))
      assert.deepEqual(await told(), { $early: { 'm.read': { [RITA]: { ts: 4, thread_id: 'main' } } } })
      await scene.receive(FAR, receipt(RITA, first, { ts: 5, thread_id: 'main' }))
      assert.deepEqual(await told(), { [first]: { 'm.read': { [RITA]: { ts: 5, thread_id: 'main' } } } })
      await scene.receive(FAR, receipt(RITA, '$early', { ts: 4, thread_id: 'main' }))
      assert.equal(await told(), undefined, 'what we hold counts for more')
      await scene.receive(FAR, receipt(RITA, '$early', { ts: 4, thread_id: '$thread' }))
      assert.equal(await told(), undefined, 'whether it is in that thread cannot be told')
      await scene.receive(FAR, receipt(RITA, second, { ts: 6, thread_id: first }))
      assert.equal(await told(), undefined, 'it is not in that thread')
    })

    it('messages to devices arrive once, in order, at devices that exist', async () => {
      await using scene = await open(driver)
      const message = (id: string, content: JsonObject, more: JsonObject = {}): JsonObject =>
        edu('m.direct_to_device', {
          sender: RITA,
          type: 'org.example.note',
          message_id: id,
          messages: { [ALICE]: { [scene.deviceId]: content, NOBODY: { n: 0 } } },
          ...more,
        })
      const notes = async (): Promise<unknown[]> =>
        eventsOf(await scene.sync(), 'to_device').map((event) => (event['content'] as JsonObject)['n'])
      await scene.receive(FAR, message('1', { n: 1 }), message('2', { n: 2 }), message('1', { n: 1 }))
      await scene.receive(
        FAR,
        message('2', { n: 2 }),
        message('3', {}, { messages: { [ALICE]: { '*': { n: 3 } } } }),
      )
      assert.deepEqual(await notes(), [1, 2, 3])
      // The same id of another server is another message; and nobody speaks for others' users.
      await scene.receive(EVIL, message('1', { n: 4 }, { sender: '@e:evil.example' }), message('9', { n: 5 }))
      assert.deepEqual(await notes(), [4])
    })

    it('what is malformed, unknown or too much hinders nothing else', async () => {
      await using scene = await open(driver)
      const good = edu('m.typing', { room_id: scene.roomId, user_id: RITA, typing: true })
      const bad: unknown[] = [
        null,
        7,
        'm.typing',
        [],
        {},
        { edu_type: 5 },
        edu('m.typing', { room_id: scene.roomId, user_id: RITA }),
        edu('m.typing', { room_id: 3, user_id: [], typing: 'yes' }),
        edu('m.presence', { push: {} }),
        edu('m.receipt', { [scene.roomId]: { 'm.read': { [RITA]: { event_ids: [] } } } }),
        edu('m.receipt', { __proto__x: { 'm.read': 7 } }),
        edu('m.direct_to_device', { sender: RITA, type: 't', message_id: 'm', messages: [] }),
        edu('m.device_list_update', { user_id: RITA, device_id: 'A', stream_id: 'x' }),
        edu('m.signing_key_update', {}),
        { edu_type: 'constructor', content: {} },
        { edu_type: 'org.example.unknown', content: {} },
      ]
      await receiveEdus(scene.server.hs, FAR, [...bad, good])
      assert.equal(ephemeral(await scene.sync(), scene.roomId).length, 1)
      const counts = scene.server.hs.eduTally.figures()
      assert.equal(counts.find(({ outcome }) => outcome === 'unknown')!.n, 8)
      const flood = Array.from({ length: MAX_EDUS }, () => ({ edu_type: 'org.example.flood' }))
      await receiveEdus(scene.server.hs, FAR, [
        ...flood,
        edu('m.typing', { room_id: scene.roomId, user_id: RITA, typing: false }),
      ])
      assert.deepEqual(ephemeral(await scene.sync(), scene.roomId), [])
    })
  })
}
