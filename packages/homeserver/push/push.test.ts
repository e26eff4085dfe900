import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { markMovedReceipts } from '@causeway/store/tables/push-queue.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { openPeople, type People, type Person } from '../user-data/test-people.ts'
import { ok } from '../test-call.ts'
import { interruptReads, type Interruption } from '../test-held-database.ts'
import { findServerDrivers, type ServerDriver, type TestServer } from '../test-server.ts'
import {
  gatewayConfig,
  hastyClock,
  pusherOf,
  startTestGateway,
  TAKEN,
  type TestGateway,
} from './test-gateway.ts'

const authority = makeAuthority()

interface Scene extends People {
  readonly gateway: TestGateway
  readonly clock: ReturnType<typeof hastyClock>
  /** Another server on the same database, in place of this one. */
  restart(): Promise<TestServer>
  /** Everything that can be sent was. */
  settled(): Promise<void>
}

/** Alice and Bob in a room, and a gateway. */
async function openScene(driver: ServerDriver, room: JsonObject = {}): Promise<Scene> {
  const stack = new AsyncDisposableStack()
  const gateway = stack.use(await startTestGateway(authority))
  const { config } = stack.use(await gatewayConfig(authority))
  const clock = hastyClock()
  const people = await openPeople(driver, { clock, config, room })
  let running: TestServer = people.server
  stack.defer(() => running[Symbol.asyncDispose]())
  return {
    ...people,
    restart: async () => (running = await running.restart()),
    gateway,
    clock,
    settled: () => people.server.hs.push.settled(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const setPusher = (who: Person, url: string, pushkey: string, more: JsonObject = {}): Promise<JsonObject> =>
  who.call('POST', '/pushers/set', pusherOf(url, pushkey, more))

const eventIds = (gateway: TestGateway, pushkey?: string): unknown[] =>
  gateway.taken
    .filter(({ device }) => pushkey === undefined || device['pushkey'] === pushkey)
    .flatMap(({ notification: { event_id: id } }) => (id === undefined ? [] : [id]))

for (const driver of await findServerDrivers()) {
  describe(`push on ${driver.name}`, { skip: driver.skip }, () => {
    it('tells, too, of what comes while it looks for what to tell, before that is read and after', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      await scene.settled()
      const { db, log } = scene.server.hs
      const query = db.query.bind(db)
      const said: string[] = []
      const sayNow = async (text: string): Promise<void> => {
        said.push(await alice.say(roomId, text))
        const dispatched = async (): Promise<number> =>
          Number((await query('SELECT position FROM cursors WHERE name = ?', ['push']))[0]!['position'])
        while ((await dispatched()) < log.head()) await setTimeout(5)
      }
      const coming: Interruption[] = [
        { at: 'FROM push_rooms WHERE pusher_nid', when: 'before', run: () => sayNow('one') },
        { at: 'SELECT nid FROM events e WHERE room_nid', when: 'after', run: () => sayNow('two') },
      ]
      await sayNow('zero')
      await scene.settled()
      interruptReads(db, coming)
      // The count of unread messages is what it looks for.
      await bob.call('POST', `/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${said[0]!}`, {})
      await scene.settled()
      assert.deepEqual(coming, [])
      assert.deepEqual(eventIds(gateway), said)
    })

    it('tells a gateway of an event by the specification, and how much is unread', async () => {
      await using scene = await openScene(driver, { name: 'Mission Control', room_alias_name: 'control' })
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'key', { custom: { a: 1 } })
      const named = `/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(alice.userId)}`
      await alice.call('PUT', named, { membership: 'join', displayname: 'Tom' })
      const before = Math.floor(scene.clock.now() / 1000)
      const eventId = await alice.say(roomId, 'hello')
      await scene.settled()
      assert.equal(gateway.arrived.length, 1)
      const [{ path, method, contentType, notification }] = gateway.arrived as [(typeof gateway.arrived)[0]]
      assert.deepEqual([method, path, contentType], ['POST', '/_matrix/push/v1/notify', 'application/json'])
      const [device] = notification['devices'] as [JsonObject]
      const setAt = device['pushkey_ts'] as number
      assert.ok(setAt <= before && setAt > before - 600)
      assert.deepEqual(notification, {
        event_id: eventId,
        room_id: roomId,
        type: 'm.room.message',
        sender: alice.userId,
        sender_display_name: 'Tom',
        room_name: 'Mission Control',
        room_alias: '#control:test.example',
        // Two in the room: the rule for conversations of two makes a sound.
        prio: 'high',
        content: { msgtype: 'm.text', body: 'hello' },
        counts: { unread: 1 },
        devices: [
          {
            app_id: 'org.example.app',
            pushkey: 'key',
            pushkey_ts: setAt,
            data: { custom: { a: 1 } },
            tweaks: { sound: 'default' },
          },
        ],
      })
    })

    it('tells no more than ids and counts where the client wants it so', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      const carol = await scene.register('carol')
      await carol.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await setPusher(bob, gateway.url, 'key', { format: 'event_id_only' })
      const plain = await alice.say(roomId, 'hello')
      const mention = await alice.say(roomId, 'bob!', { 'm.mentions': { user_ids: [bob.userId] } })
      await scene.settled()
      const told = gateway.arrived.map(({ notification: { devices, ...rest } }) => [
        rest,
        (devices as JsonObject[])[0]!['tweaks'],
        (devices as JsonObject[])[0]!['data'],
      ])
      const data = { format: 'event_id_only' }
      const ids = (id: string, prio: string, unread: number): JsonObject => ({
        event_id: id,
        room_id: roomId,
        prio,
        counts: { unread },
      })
      // The count is the one of now: with the first event the second may have come already.
      const first = (gateway.arrived[0]!.notification['counts'] as { unread: number }).unread
      assert.ok(first === 1 || first === 2)
      assert.deepEqual(told, [
        [ids(plain, 'low', first), {}, data],
        [ids(mention, 'high', 2), { sound: 'default', highlight: true }, data],
      ])
    })

    it('tells of what the rules say, of invitations, and of nobody’s own doing', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, room, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      await bob.say(roomId, 'mine')
      await alice.say(roomId, 'a notice', { msgtype: 'm.notice' })
      const said = await alice.say(roomId, 'said')
      await alice.say(
        roomId,
        '',
        { 'm.relates_to': { rel_type: 'm.annotation', event_id: said, key: '+' } },
        'm.reaction',
      )
      const poll = await alice.say(roomId, 'tea?', {}, 'org.matrix.msc3381.poll.start')
      const answers = { 'm.relates_to': { rel_type: 'm.reference', event_id: poll } }
      await alice.say(roomId, 'yes', answers, 'org.matrix.msc3381.poll.response')
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [said, poll])
      await bob.call('PUT', `/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: [] })
      await alice.say(roomId, 'muted')
      const loud = await alice.say(roomId, 'loud', { 'm.mentions': { user_ids: [bob.userId] } })
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [said, poll, loud])
      await bob.call('PUT', '/pushrules/global/override/topics', {
        conditions: [{ kind: 'event_match', key: 'type', pattern: 'm.room.topic' }],
        actions: ['notify', { set_tweak: 'sound', value: 'bing' }],
      })
      const topic = (await alice.call('PUT', `${room}/state/m.room.topic`, { topic: 'news' }))['event_id']
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [said, poll, loud, topic])
      assert.deepEqual(gateway.taken.at(-1)!.device['tweaks'], { sound: 'bing' })
      const made = await alice.call('POST', '/createRoom', { name: 'Secret', invite: [bob.userId] })
      await scene.settled()
      const { notification } = gateway.taken.at(-1)!
      assert.equal(notification['room_id'], made['room_id'])
      assert.deepEqual(
        [notification['type'], notification['user_is_target'], notification['room_name']],
        ['m.room.member', true, 'Secret'],
      )
      await bob.call('PUT', `/user/${encodeURIComponent(bob.userId)}/account_data/m.ignored_user_list`, {
        ignored_users: { [alice.userId]: {} },
      })
      const before = eventIds(gateway).length
      await alice.say(roomId, 'unheard', { 'm.mentions': { user_ids: [bob.userId] } })
      await scene.settled()
      assert.equal(eventIds(gateway).length, before)
    })

    it('tells the count when what is unread becomes less: by a receipt, in a thread, by an answer', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, room, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      const root = await alice.say(roomId, 'root')
      const reply = await alice.say(roomId, 'reply', {
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      })
      const last = await alice.say(roomId, 'last')
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [root, reply, last])
      assert.deepEqual(gateway.taken.at(-1)!.notification['counts'], { unread: 3 })
      const receipt = async (eventId: string, more: JsonObject): Promise<JsonObject> => {
        const sent = gateway.taken.length
        await bob.call('POST', `${room}/receipt/m.read.private/${encodeURIComponent(eventId)}`, more)
        await scene.settled()
        assert.equal(gateway.taken.length, sent + 1)
        return gateway.taken.at(-1)!.notification
      }
      const { devices, ...counts } = await receipt(last, { thread_id: 'main' })
      assert.deepEqual(counts, { prio: 'low', counts: { unread: 1 } })
      const [device] = devices as [JsonObject]
      assert.deepEqual([device['pushkey'], device['app_id'], device['data']], ['key', 'org.example.app', {}])
      assert.deepEqual((await receipt(reply, { thread_id: root }))['counts'], {})
      const again = await alice.say(roomId, 'again')
      await scene.settled()
      await bob.say(roomId, 'answer')
      await scene.settled()
      assert.deepEqual(
        gateway.taken.slice(-2).map(({ notification: one }) => [one['event_id'], one['counts']]),
        [
          [again, { unread: 1 }],
          [undefined, {}],
        ],
      )
      // What changes nothing is not told.
      const sent = gateway.taken.length
      await bob.call('POST', `${room}/receipt/m.read/${encodeURIComponent(again)}`, {})
      await scene.settled()
      assert.equal(gateway.taken.length, sent)
    })

    it('does not tell of what was read or taken back before its turn came', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, room, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      const held = Promise.withResolvers<void>()
      gateway.answer = async () => (await held.promise, TAKEN)
      const first = await alice.say(roomId, 'first')
      await gateway.until(() => gateway.arrived.length === 1)
      const read = await alice.say(roomId, 'read')
      await bob.call('POST', `${room}/receipt/m.read/${encodeURIComponent(read)}`, {})
      const redacted = await alice.say(roomId, 'redacted')
      await alice.call('PUT', `${room}/redact/${encodeURIComponent(redacted)}/r1`, {})
      const seen = await alice.say(roomId, 'seen')
      held.resolve()
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [first, seen])
    })

    it('tries again after failures of every kind, in order, and without a word twice', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      const answers = [
        'hang up' as const,
        { status: 502 },
        { status: 200, body: 'no JSON' },
        { status: 200, body: '[]' },
        { status: 200, body: '{"rejected":1}' },
        { status: 429 },
        { status: 301 },
      ]
      gateway.answer = () => answers.shift() ?? TAKEN
      const first = await alice.say(roomId, 'first')
      const second = await alice.say(roomId, 'second')
      await gateway.until(() => gateway.arrived.length === 9)
      await scene.settled()
      assert.deepEqual(
        gateway.arrived.map(({ notification: { event_id: id } }) => id),
        [...Array.from({ length: 8 }, () => first), second],
      )
      const { outcomes } = scene.server.hs.push.figures
      assert.deepEqual(Object.fromEntries(outcomes), { unreachable: 1, refused: 3, malformed: 3, sent: 2 })
    })

    it('gives up what the gateway calls wrong, and nothing else', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      const bad = await alice.say(roomId, 'first')
      gateway.answer = ({ notification: { event_id: id } }) => (id === bad ? { status: 400 } : TAKEN)
      const good = await alice.say(roomId, 'second')
      await gateway.until(() => eventIds(gateway).includes(good))
      await scene.settled()
      assert.deepEqual(
        eventIds(gateway).filter((id) => id !== bad),
        [good],
      )
    })

    it('deletes a pusher whose key the gateway rejects, unless it was set anew', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'bad')
      await setPusher(bob, gateway.url, 'good')
      gateway.answer = ({ device }) =>
        device['pushkey'] === 'bad' ? { status: 200, body: '{"rejected":["bad","unknown"]}' } : TAKEN
      const first = await alice.say(roomId, 'first')
      await scene.settled()
      const second = await alice.say(roomId, 'second')
      await scene.settled()
      assert.deepEqual(eventIds(gateway, 'good'), [first, second])
      assert.equal(gateway.arrived.filter(({ device }) => device['pushkey'] === 'bad').length, 1)
      const { pushers } = await bob.call('GET', '/pushers')
      assert.deepEqual(
        (pushers as JsonObject[]).map(({ pushkey }) => pushkey),
        ['good'],
      )
      assert.deepEqual(await scene.server.hs.db.query('SELECT room_nid FROM push_rooms', []), [])
      // Set anew while it is being rejected.
      const held = Promise.withResolvers<void>()
      gateway.answer = async () => (await held.promise, { status: 200, body: '{"rejected":["good"]}' })
      const arrived = gateway.arrived.length
      await alice.say(roomId, 'third')
      const waiting = Promise.withResolvers<void>()
      const answer = gateway.answer
      gateway.answer = async (notify) => (waiting.resolve(), answer(notify))
      if (gateway.arrived.length === arrived) await waiting.promise
      await setPusher(bob, gateway.url, 'good', { again: true })
      gateway.answer = () => TAKEN
      held.resolve()
      await scene.settled()
      assert.equal(((await bob.call('GET', '/pushers'))['pushers'] as JsonObject[]).length, 1)
    })

    it('keeps nobody waiting for a gateway that does not answer', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await using dead = await startTestGateway(authority)
      dead.answer = () => 'silence'
      for (let n = 0; n < 17; n++) {
        const other = await scene.register(`other${n}`)
        await other.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
        await setPusher(other, dead.url, `dead ${n}`)
      }
      await setPusher(bob, gateway.url, 'key')
      const ids: string[] = []
      for (let n = 0; n < 5; n++) ids.push(await alice.say(roomId, `message ${n}`))
      await gateway.until(() => eventIds(gateway).length === 5)
      assert.deepEqual(eventIds(gateway), ids)
      // No more than its share of the attempts.
      assert.ok(dead.arrived.length <= 16, `${dead.arrived.length} at once`)
    })

    it('drops what waits for a gateway after a day without an answer, and tells the count from then on', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway, clock } = scene
      await setPusher(bob, gateway.url, 'key')
      gateway.answer = () => ({ status: 503 })
      await alice.say(roomId, 'old')
      await gateway.until(() => gateway.arrived.length >= 3)
      clock.skip(24 * 3_600_000 + 1)
      await gateway.until(() => gateway.arrived.at(-1)!.notification['event_id'] === undefined)
      gateway.answer = () => TAKEN
      await gateway.until(() => gateway.taken.length === 1)
      const fresh = await alice.say(roomId, 'fresh')
      await gateway.until(() => gateway.taken.length === 2)
      assert.deepEqual(
        gateway.taken.map(({ notification: one }) => [one['event_id'], one['counts']]),
        [
          [undefined, { unread: 1 }],
          [fresh, { unread: 2 }],
        ],
      )
      assert.equal(scene.server.hs.push.figures.counts.dropped, 1)
    })

    it('never connects to a private address unless the operator allows it', async () => {
      await using gateway = await startTestGateway(authority)
      await using people = await openPeople(driver, { clock: hastyClock() })
      const { alice, bob, roomId, server } = people
      await setPusher(bob, gateway.url, 'key')
      await alice.say(roomId, 'hello')
      const { push } = server.hs
      while ((push.figures.outcomes.get('unreachable') ?? 0) < 2)
        await new Promise((resolve) => setImmediate(resolve))
      assert.match(push.turns()[0]?.lastError ?? '', /private address/)
      assert.equal(gateway.arrived.length, 0)
    })

    it('goes on after a restart, and finds receipts that were not looked at before it', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      gateway.answer = () => 'hang up'
      const said = [await alice.say(roomId, 'first'), await alice.say(roomId, 'second')]
      await gateway.until(() => gateway.arrived.length > 0)
      const again = await scene.restart()
      gateway.answer = () => TAKEN
      await gateway.until(() => gateway.taken.length === 2)
      await again.hs.push.settled()
      assert.deepEqual(eventIds(gateway), said)
      const from = again.hs.log.head()
      const receipt = `/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${encodeURIComponent(said[1]!)}`
      for (const { token } of [alice, bob])
        await ok(again, { token, userId: '', deviceId: '' }, 'POST', receipt, {})
      await again.hs.push.settled()
      assert.deepEqual(gateway.taken.at(-1)!.notification['counts'], {})
      const waiting = async (): Promise<unknown[]> => {
        const sql = 'SELECT p.user_id, q.room_nid FROM push_rooms q JOIN pushers p ON p.nid = q.pusher_nid'
        return (await again.hs.db.query(sql, [])).map((row) => ({ ...row }))
      }
      assert.deepEqual(await waiting(), [])
      const missed = markMovedReceipts(from, again.hs.log.head())
      for (const step of [missed, missed]) await again.hs.db.commit({ entries: [], steps: [step] })
      assert.deepEqual(await waiting(), [{ user_id: bob.userId, room_nid: 0 }])
    })

    it('ends with the session, and with the stay in the room', async () => {
      await using scene = await openScene(driver)
      const { alice, bob, roomId, room, gateway } = scene
      await setPusher(bob, gateway.url, 'key')
      const first = await alice.say(roomId, 'first')
      await scene.settled()
      await bob.call('POST', `${room}/leave`, {})
      await alice.say(roomId, 'without bob')
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [first])
      await bob.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      const second = await alice.say(roomId, 'with bob')
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [first, second])
      await bob.call('POST', '/logout', {})
      await alice.say(roomId, 'nobody hears it')
      await scene.settled()
      assert.deepEqual(eventIds(gateway), [first, second])
    })
  })
}
