import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { findServerDrivers, testConfig, type TestLogin } from '../../test-server.ts'
import { summarizeUnsent } from '@causeway/store/tables/outbound.ts'
import { forgetUnsentMessages } from './forget-messages.ts'
import { roomPath, startStage, type OutboundStage } from './test-peers.ts'
import { createVolatileEdus } from './volatile-edus.ts'

const V3 = '/_matrix/client/v3'
const B = 'b.example' as ServerName

/** What lingers goes at once. */
const eagerClock: Clock = {
  ...systemClock,
  setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, ms === 1_000 ? 5 : ms, options),
}

const contents = (stage: OutboundStage, server: string, type: string): JsonObject[] =>
  stage.peers.edus(server, type).map(({ content }) => content as JsonObject)

const deviceKeys = ({ userId, deviceId }: TestLogin, key: string): JsonObject => ({
  user_id: userId,
  device_id: deviceId,
  algorithms: ['m.olm.v1.curve25519-aes-sha2'],
  keys: { [`curve25519:${deviceId}`]: key },
  signatures: {},
})

const upload = (stage: OutboundStage, login: TestLogin, key: string): Promise<JsonObject> =>
  stage.call(login, 'POST', `${V3}/keys/upload`, { device_keys: deviceKeys(login, key) })

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: EDUs for other servers`, { skip: driver.skip }, () => {
    it('typing goes at once to the servers in the room that the ACL allows, by our users only', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example', '@c:evil.example'])
      await stage.call(stage.alice, 'PUT', `${roomPath(roomId)}/state/m.room.server_acl`, {
        allow: ['*'],
        deny: ['evil.example'],
      })
      await stage.settled()
      const typing = `${roomPath(roomId)}/typing/${encodeURIComponent(stage.alice.userId)}`
      await stage.call(stage.alice, 'PUT', typing, { typing: true, timeout: 30_000 })
      await stage.settled()
      await stage.call(stage.alice, 'PUT', typing, { typing: true, timeout: 30_000 })
      stage.server.hs.typing.set(roomId, '@b:b.example' as UserId, 10_000)
      await stage.settled()
      await stage.call(stage.alice, 'PUT', typing, { typing: false })
      await stage.settled()
      const by = { room_id: roomId, user_id: stage.alice.userId }
      assert.deepEqual(contents(stage, 'b.example', 'm.typing'), [
        { ...by, typing: true },
        { ...by, typing: false },
      ])
      assert.deepEqual(stage.peers.edus('evil.example'), [])
    })

    it('read receipts that are public are put together, threads apart; private ones stay here', async () => {
      await using stage = await startStage(driver, { clock: eagerClock })
      const roomId = await stage.makeRoom(['@b:b.example'])
      const bob = await stage.server.register('bob')
      await stage.call(bob, 'POST', `${V3}/join/${encodeURIComponent(roomId)}`, {})
      const one = await stage.say(roomId, 'one')
      const two = await stage.say(roomId, 'two')
      await stage.settled()
      const gate = Promise.withResolvers<JsonObject>()
      stage.peers.answer = () => gate.promise
      await stage.say(roomId, 'held back')
      await stage.peers.until(() => stage.peers.arrivals.at(-1)?.body.includes('held back') === true)
      const read = (
        login: TestLogin,
        event: string,
        body: JsonObject = {},
        type = 'm.read',
      ): Promise<JsonObject> =>
        stage.call(login, 'POST', `${roomPath(roomId)}/receipt/${type}/${encodeURIComponent(event)}`, body)
      await read(stage.alice, one)
      await read(stage.alice, two)
      await read(stage.alice, two, { thread_id: 'main' })
      await read(bob, one)
      await read(bob, two, {}, 'm.read.private')
      await stage.server.hs.outbound.reached(stage.server.hs.log.head())
      stage.peers.answer = () => ({ pdus: {} })
      gate.resolve({ pdus: {} })
      await stage.peers.until(() => stage.peers.edus(B, 'm.receipt').length === 2)
      await stage.settled()
      const text = JSON.stringify(contents(stage, 'b.example', 'm.receipt')).replaceAll(/"ts":\d+/g, '"ts":0')
      const unthreaded = { [stage.alice.userId]: { data: { ts: 0 }, event_ids: [two] } }
      assert.deepEqual(JSON.parse(text), [
        { [roomId]: { 'm.read': { ...unthreaded, [bob.userId]: { data: { ts: 0 }, event_ids: [one] } } } },
        {
          [roomId]: {
            'm.read': { [stage.alice.userId]: { data: { ts: 0, thread_id: 'main' }, event_ids: [two] } },
          },
        },
      ])
    })

    it('presence is what it is when it leaves, for servers that share a room with the user', async () => {
      await using stage = await startStage(driver, { clock: eagerClock })
      await stage.makeRoom(['@b:b.example'])
      const bob = await stage.server.register('bob')
      await stage.settled()
      const set = (login: TestLogin, status: string): Promise<JsonObject> =>
        stage.call(login, 'PUT', `${V3}/presence/${encodeURIComponent(login.userId)}/status`, {
          presence: 'online',
          status_msg: status,
        })
      await set(bob, 'alone')
      await set(stage.alice, 'first')
      await set(stage.alice, 'second')
      await stage.peers.until(() => JSON.stringify(stage.peers.edus(B, 'm.presence')).includes('second'))
      await stage.settled()
      const push = contents(stage, 'b.example', 'm.presence').flatMap(
        (content) => content['push'] as JsonObject[],
      )
      assert.ok(push.every(({ user_id: userId }) => userId === stage.alice.userId))
      assert.equal(push.at(-1)?.['presence'], 'online')
      assert.equal(push.at(-1)?.['status_msg'], 'second')
      assert.equal(typeof push.at(-1)?.['last_active_ago'], 'number')
    })

    it('what may be lost is dropped while a server is away, what may not be is kept', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await stage.say(roomId, 'kept')
      await stage.settled()
      stage.server.hs.typing.set(roomId as RoomId, stage.alice.userId as UserId, 60_000)
      await upload(stage, stage.alice, 'k1')
      await stage.call(stage.alice, 'PUT', `${V3}/sendToDevice/m.test/t1`, {
        messages: { '@b:b.example': { D: { n: 1 } } },
      })
      await stage.settled()
      stage.peers.answer = () => ({ pdus: {} })
      stage.server.hs.outbound.heardFrom(B)
      await stage.settled()
      assert.deepEqual(
        stage.peers.edus('b.example').map(({ edu_type: type }) => type),
        ['m.direct_to_device', 'm.device_list_update'],
      )
      assert.deepEqual(stage.peers.texts('b.example'), ['kept'])
    })

    it('messages to devices go in order, each once by its id, whatever is repeated', async () => {
      await using stage = await startStage(driver)
      const send = (txn: string, content: JsonObject): Promise<JsonObject> =>
        stage.call(stage.alice, 'PUT', `${V3}/sendToDevice/m.test/${txn}`, {
          messages: {
            '@b:b.example': { D1: content, '*': content },
            '@c:c.example': { D2: content },
            [stage.alice.userId]: { '*': content },
          },
        })
      let failures = 2
      stage.peers.answer = () => (failures-- > 0 ? { kind: 'unreachable' } : { pdus: {} })
      for (let n = 0; n < 5; n++) await send(`t${n}`, { n })
      await send('t4', { n: 4 })
      await stage.settled()
      stage.server = await stage.server.restart()
      for (let n = 5; n < 120; n++) await send(`t${n}`, { n })
      await stage.settled()
      for (const server of ['b.example', 'c.example']) {
        const messages = contents(stage, server, 'm.direct_to_device')
        const user = `@${server[0]}:${server}`
        const device = server === 'b.example' ? 'D1' : 'D2'
        const numbers = messages.map(
          (message) =>
            (message['messages'] as Record<string, Record<string, { n: number }>>)[user]![device]!.n,
        )
        assert.deepEqual(numbers, [...Array(120).keys()])
        assert.equal(new Set(messages.map(({ message_id: id }) => id)).size, 120)
        assert.equal(messages[0]?.['sender'], stage.alice.userId)
        assert.equal(messages[0]?.['type'], 'm.test')
      }
      const sizes = stage.peers.arrivals.map(({ body }) => (JSON.parse(body) as { edus: [] }).edus.length)
      assert.ok(Math.max(...sizes) <= 100)
    })

    it('of messages to devices of a server that is gone only those of the transaction under way are kept', async () => {
      await using stage = await startStage(driver)
      const days = (n: number): Clock => ({
        ...systemClock,
        now: () => systemClock.now() + n * 24 * 3_600_000,
      })
      const forget = (clock: Clock): Promise<void> =>
        forgetUnsentMessages({ ...stage.server.hs, clock }).run()
      const send = (n: number): Promise<JsonObject> =>
        stage.call(stage.alice, 'PUT', `${V3}/sendToDevice/m.test/g${n}`, {
          messages: { '@b:b.example': { D: { n } } },
        })
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await send(0)
      await stage.settled()
      for (const n of [1, 2]) await send(n)
      await stage.settled()
      const waiting = async (): Promise<number> =>
        (await summarizeUnsent(stage.server.hs.db, B, 1))[0]?.messages ?? 0
      await forget(days(29))
      assert.equal(Number(await waiting()), 3)
      await forget(days(31))
      assert.equal(Number(await waiting()), 1)
      await send(3)
      stage.peers.answer = () => ({ pdus: {} })
      stage.server.hs.outbound.heardFrom(B)
      await stage.settled()
      const numbers = contents(stage, B, 'm.direct_to_device').map(
        ({ messages }) =>
          (messages as Record<string, Record<string, JsonObject>>)['@b:b.example']!['D']!['n'],
      )
      assert.deepEqual(numbers, [0, 3])
    })

    it('changes of devices name the one before, deleted ones too, to servers that share a room', async () => {
      await using stage = await startStage(driver)
      await upload(stage, stage.alice, 'k0')
      await stage.makeRoom(['@b:b.example'])
      await upload(stage, stage.alice, 'k1')
      await stage.settled()
      await upload(stage, stage.alice, 'k2')
      await stage.settled()
      const login = await stage.server.request('POST', `${V3}/login`, {
        body: {
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: 'alice' },
          password: 'correct horse battery',
        },
      })
      const second = login.json() as { device_id: string; access_token: string }
      const other: TestLogin = { ...stage.alice, deviceId: second.device_id, token: second.access_token }
      await upload(stage, other, 'k3')
      await stage.settled()
      await stage.call(other, 'POST', `${V3}/logout`, {})
      await stage.settled()
      const stranger = await stage.server.register('carol')
      await upload(stage, stranger, 'k4')
      await stage.settled()
      const updates = contents(stage, 'b.example', 'm.device_list_update')
      assert.equal(updates.length, 4)
      const { deviceId } = stage.alice
      assert.deepEqual(
        updates.map(({ device_id: id, deleted, keys }) => [
          id,
          deleted,
          (keys as { keys: JsonObject } | undefined)?.keys[`curve25519:${id as string}`],
        ]),
        [
          [deviceId, undefined, 'k1'],
          [deviceId, undefined, 'k2'],
          [other.deviceId, undefined, 'k3'],
          [other.deviceId, true, undefined],
        ],
      )
      const streams = updates.map(({ stream_id: id }) => id as number)
      const chain = updates.map(({ prev_id: ids }) => ids)
      assert.deepEqual(
        chain.slice(1),
        streams.slice(0, -1).map((id) => [id]),
      )
      assert.equal((chain[0] as number[]).length, 1)
      assert.equal(updates[0]?.['user_id'], stage.alice.userId)
      assert.ok(!JSON.stringify(updates).includes('unsigned'))
      assert.ok(updates.every((update) => update['device_display_name'] === undefined))
    })

    it('name devices only where the operator says so', async () => {
      const federation = { ...testConfig('', {}).federation, share_device_names: true }
      await using stage = await startStage(driver, { config: { federation } })
      await stage.makeRoom(['@b:b.example'])
      await upload(stage, stage.alice, 'k1')
      await stage.call(stage.alice, 'PUT', `${V3}/devices/${stage.alice.deviceId}`, { display_name: 'Phone' })
      await stage.settled()
      const updates = contents(stage, 'b.example', 'm.device_list_update')
      assert.equal(updates.at(-1)?.['device_display_name'], 'Phone')
      assert.ok(!JSON.stringify(updates).includes('unsigned'))
    })

    it('many changes of devices during an outage come as the last of each, in portions, and so do new keys', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      const people = await Promise.all(Array.from({ length: 45 }, (_, n) => stage.server.register(`p${n}`)))
      for (const one of people) await stage.call(one, 'POST', `${V3}/join/${encodeURIComponent(roomId)}`, {})
      await stage.settled()
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await upload(stage, stage.alice, 'a1')
      await stage.settled()
      for (const one of people) await upload(stage, one, 'first')
      for (const one of people) await upload(stage, one, 'last')
      stage.server = await stage.server.restart()
      await stage.settled()
      stage.peers.answer = () => ({ pdus: {} })
      stage.server.hs.outbound.heardFrom(B)
      await stage.settled()
      const updates = contents(stage, 'b.example', 'm.device_list_update')
      assert.equal(updates.length, 46)
      assert.equal(JSON.stringify(updates).match(/"last"/g)?.length, 45)
      const streams = updates.map(({ stream_id: id }) => id as number)
      assert.deepEqual(
        streams,
        streams.toSorted((a, b) => a - b),
      )
      const rows = await stage.server.hs.db.query('SELECT * FROM outbound_rooms', [])
      assert.deepEqual(rows, [])
    })
  })
}

describe('volatile EDUs that wait', () => {
  const one = (n: number): Parameters<ReturnType<typeof createVolatileEdus>['put']>[1] => ({
    kind: 'receipt',
    roomId: `!r${n % 7}:x`,
    userId: `@u${n}:x` as UserId,
    eventId: '$e',
    threadId: n % 2 === 0 ? undefined : `$t${n % 5}`,
    ts: n,
  })

  it('are no more than were asked for, and nothing is lost between two takings', () => {
    const edus = createVolatileEdus(createMemoryBudget(1e8), () => ({ presence: 'online' }))
    for (let n = 0; n < 300; n++) edus.put(B, one(n))
    for (let n = 0; n < 30; n++) edus.put(B, { kind: 'presence', userId: `@u${n}:x` as UserId })
    for (let n = 0; n < 300; n++) {
      edus.put(B, { kind: 'typing', roomId: `!r${n}:x`, userId: '@u:x' as UserId, typing: n % 2 === 0 })
    }
    let typing = 0
    let receipts = 0
    let presence = 0
    while (edus.has(B)) {
      const taken = edus.take(B, 100, 700_000)
      assert.ok(taken.length > 0 && taken.length <= 100)
      for (const text of taken) {
        typing += text.match(/m\.typing/g)?.length ?? 0
        receipts += text.match(/event_ids/g)?.length ?? 0
        presence += text.match(/"presence":"online"/g)?.length ?? 0
      }
    }
    assert.deepEqual([typing, receipts, presence], [300, 300, 30])
  })

  it('are bounded by memory, whoever they are for', () => {
    const budget = createMemoryBudget(10_000_000)
    const edus = createVolatileEdus(budget, () => ({}))
    for (let n = 0; n < 50_000; n++) edus.put(`s${n % 1000}.example` as ServerName, one(n))
    const [figures] = budget.figures()
    assert.ok(figures!.bytes <= figures!.limit)
  })
})
