import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { findServerDrivers } from '../test-server.ts'
import {
  contentOf,
  eventsIn,
  openPeople,
  roomPart,
  type People,
  type Person,
} from '../user-data/test-people.ts'

const escaped = encodeURIComponent

/** Receipts as a reader is told of them: event → kind → user → what. */
function receiptsIn(sync: JsonObject, roomId: string): JsonObject {
  return contentOf(roomPart(sync, roomId, 'ephemeral'), 'm.receipt') ?? {}
}

async function read(
  people: People,
  who: Person,
  eventId: string,
  more: { type?: string; threadId?: string } = {},
) {
  const { type = 'm.read', threadId } = more
  const body = threadId === undefined ? {} : { thread_id: threadId }
  return who.ask('POST', `${people.room}/receipt/${type}/${escaped(eventId)}`, body)
}

/** A clock whose time goes on by itself, and by leaps of whole minutes; timers fire only in leaps. */
function leapingClock(): Clock & { leap(ms: number): void } {
  let leapt = 0
  const timers = new Set<{ at: number; fn: () => void }>()
  const monotonic = (): number => systemClock.monotonic() + leapt
  return {
    ...systemClock,
    now: () => systemClock.now() + leapt,
    monotonic,
    setTimeout(fn, ms, options) {
      if (ms < 1_000) return systemClock.setTimeout(fn, ms, options)
      const timer = { at: monotonic() + ms, fn }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    leap(ms) {
      leapt += ms
      for (const timer of [...timers]) {
        if (timer.at > monotonic() || !timers.delete(timer)) continue
        timer.fn()
      }
    },
  }
}

for (const driver of await findServerDrivers()) {
  describe(`receipts on ${driver.name}`, { skip: driver.skip }, () => {
    it('are told to the room, private ones only to their owner, with their threads', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const root = await alice.say(roomId, 'root')
      const reply = await alice.say(roomId, 'reply', {
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      })
      await bob.sync()
      await read(people, bob, root, { type: 'm.read.private' })
      await read(people, bob, root, { threadId: 'main' })
      await read(people, bob, reply, { threadId: root })
      const shape = (content: JsonObject): unknown =>
        JSON.parse(JSON.stringify(content, (key, value: unknown) => (key === 'ts' ? typeof value : value)))
      const publicOnes = {
        [root]: { 'm.read': { [bob.userId]: { ts: 'number', thread_id: 'main' } } },
        [reply]: { 'm.read': { [bob.userId]: { ts: 'number', thread_id: root } } },
      }
      const own = structuredClone(publicOnes) as Record<string, JsonObject>
      own[root]!['m.read.private'] = { [bob.userId]: { ts: 'number' } }
      for (const answer of [await bob.sync(), await bob.firstSync()])
        assert.deepEqual(shape(receiptsIn(answer, roomId)), own)
      for (const answer of [await alice.sync(), await alice.firstSync()])
        assert.deepEqual(shape(receiptsIn(answer, roomId)), publicOnes)
      assert.deepEqual(receiptsIn(await bob.sync(), roomId), {})
    })

    it('prefer the one without a thread where both are at one event, and never go back', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const root = await bob.say(roomId, 'root')
      const reply = await bob.say(roomId, 'reply', {
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      })
      await read(people, alice, reply)
      await read(people, alice, reply, { threadId: root })
      await read(people, alice, root)
      for (const answer of [await bob.sync(), await bob.firstSync()]) {
        const receipts = receiptsIn(answer, roomId) as Record<string, Record<string, JsonObject>>
        assert.deepEqual(Object.keys(receipts), [reply])
        const told = receipts[reply]!['m.read']![alice.userId] as JsonObject
        assert.equal(told['thread_id'], undefined)
      }
    })

    it('do not go back either where an older one is set at the same time', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const [older, newer] = [await alice.say(roomId, 'one'), await alice.say(roomId, 'two')]
      await Promise.all([read(people, bob, newer), read(people, bob, older)])
      const mark = (eventId: string) => bob.call('POST', `${room}/read_markers`, { 'm.fully_read': eventId })
      await Promise.all([mark(newer), mark(older)])
      for (const answer of [await bob.sync(), await bob.firstSync()]) {
        assert.deepEqual(Object.keys(receiptsIn(answer, roomId)), [newer])
        const marker = contentOf(roomPart(answer, roomId, 'account_data'), 'm.fully_read')
        assert.deepEqual(marker, { event_id: newer })
      }
      const many: string[] = []
      for (let n = 0; n < 10; n++) many.push(await alice.say(roomId, `message ${n}`))
      const answers = await Promise.all(many.map((eventId) => read(people, bob, eventId)))
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
      assert.deepEqual(Object.keys(receiptsIn(await bob.firstSync(), roomId)), [many.at(-1)])
    })

    it('are refused outside the thread, for events that are not there, and from outside the room', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      const root = await alice.say(roomId, 'root')
      const other = await alice.say(roomId, 'other')
      const reply = await alice.say(roomId, 'reply', {
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      })
      const annotation = await alice.say(
        roomId,
        '',
        { 'm.relates_to': { rel_type: 'm.annotation', event_id: reply, key: '👍' } },
        'm.reaction',
      )
      const status = async (...args: Parameters<typeof read>): Promise<unknown[]> => {
        const answer = await read(...args)
        return [answer.status, answer.body['errcode']]
      }
      assert.deepEqual(await status(people, bob, reply, { threadId: 'main' }), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await status(people, bob, other, { threadId: root }), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await status(people, bob, root, { threadId: '' }), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await status(people, bob, root, { type: 'm.fully_read', threadId: 'main' }), [
        400,
        'M_INVALID_PARAM',
      ])
      assert.equal((await read(people, bob, root, { type: 'm.other' })).status, 400)
      assert.deepEqual(await status(people, bob, '$nothing'), [404, 'M_NOT_FOUND'])
      assert.deepEqual(await status(people, carol, root), [403, 'M_FORBIDDEN'])
      assert.deepEqual(await status(people, bob, annotation, { threadId: root }), [200, undefined])
      const marker = await bob.ask('POST', `${room}/read_markers`, { 'm.read': 5 })
      assert.equal(marker.status, 400)
    })

    it('and the read marker are set together', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId, room } = people
      const first = await alice.say(roomId, 'one')
      const second = await alice.say(roomId, 'two')
      await alice.call('POST', `${room}/read_markers`, { 'm.fully_read': second, 'm.read': second })
      await alice.call('POST', `${room}/read_markers`, { 'm.fully_read': first })
      for (const answer of [await alice.sync(), await alice.firstSync()]) {
        assert.ok(receiptsIn(answer, roomId)[second])
        assert.deepEqual(contentOf(roomPart(answer, roomId, 'account_data'), 'm.fully_read'), {
          event_id: second,
        })
      }
    })

    it('are told whole to who comes into the room', async () => {
      await using people = await openPeople(driver)
      const { alice, roomId } = people
      await read(people, alice, await alice.say(roomId, 'one'))
      const carol = await people.register('carol')
      await carol.sync()
      await carol.call('POST', `/join/${escaped(roomId)}`, {})
      assert.equal(Object.keys(receiptsIn(await carol.sync(), roomId)).length, 1)
    })
  })

  describe(`typing on ${driver.name}`, { skip: driver.skip }, () => {
    it('is told to those in the room, wakes them, ends by itself or when told', async () => {
      const clock = leapingClock()
      await using people = await openPeople(driver, { clock })
      const { alice, bob, roomId, room } = people
      const typers = (answer: JsonObject): unknown =>
        contentOf(roomPart(answer, roomId, 'ephemeral'), 'm.typing')?.['user_ids']
      const path = `${room}/typing/${escaped(alice.userId)}`
      const waiting = bob.sync({ timeout: '30000' })
      await alice.call('PUT', path, { typing: true, timeout: 10_000 })
      assert.deepEqual(typers(await waiting), [alice.userId])
      await alice.call('PUT', path, { typing: true, timeout: 20_000 })
      assert.equal(typers(await bob.sync()), undefined)
      assert.deepEqual(typers(await bob.firstSync()), [alice.userId])
      clock.leap(21_000)
      assert.deepEqual(typers(await bob.sync()), [])
      await alice.call('PUT', path, { typing: true })
      await alice.call('PUT', path, { typing: false })
      assert.deepEqual(typers(await bob.sync()), [])
      const carol = await people.register('carol')
      assert.equal((await carol.ask('PUT', path, { typing: true })).status, 403)
      const own = `${room}/typing/${escaped(carol.userId)}`
      assert.equal((await carol.ask('PUT', own, { typing: true })).status, 403)
      assert.equal((await alice.ask('PUT', path, { typing: 'yes' })).status, 400)
    })
  })

  describe(`presence on ${driver.name}`, { skip: driver.skip }, () => {
    const presenceIn = (answer: JsonObject): Map<unknown, JsonObject> =>
      new Map(eventsIn(answer, 'presence').map((event) => [event['sender'], event['content'] as JsonObject]))

    it('is told to those who share a room, and to nobody else', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const carol = await people.register('carol')
      await carol.sync()
      const status = `/presence/${escaped(alice.userId)}/status`
      const waiting = bob.sync({ timeout: '30000' })
      await alice.call('PUT', status, { presence: 'unavailable', status_msg: 'at lunch' })
      const told = presenceIn(await waiting).get(alice.userId)!
      assert.deepEqual([told['presence'], told['status_msg']], ['unavailable', 'at lunch'])
      assert.equal((await bob.call('GET', status))['status_msg'], 'at lunch')
      assert.deepEqual([...presenceIn(await carol.sync()).keys()], [])
      assert.equal((await carol.ask('GET', status)).status, 403)
      assert.equal((await bob.ask('PUT', status, { presence: 'online' })).status, 403)
      assert.equal((await alice.ask('PUT', status, { presence: 'busy' })).status, 400)
    })

    it('follows what clients say when they sync, is no news when they repeat it, and ends without them', async () => {
      const clock = leapingClock()
      await using people = await openPeople(driver, { clock })
      const { alice, bob } = people
      await alice.firstSync({ set_presence: 'unavailable' })
      assert.equal(presenceIn(await bob.sync()).get(alice.userId)!['presence'], 'unavailable')
      for (let i = 0; i < 3; i++) await alice.firstSync({ set_presence: 'unavailable' })
      assert.equal(presenceIn(await bob.sync()).size, 0)
      await alice.firstSync()
      const online = presenceIn(await bob.sync()).get(alice.userId)!
      assert.deepEqual([online['presence'], online['currently_active']], ['online', true])
      clock.leap(100_000)
      await bob.sync()
      clock.leap(100_000)
      const gone = presenceIn(await bob.sync()).get(alice.userId)!
      assert.equal(gone['presence'], 'offline')
      assert.ok(Number(gone['last_active_ago']) >= 200_000)
    })

    it('of who does nothing for long is idle, until they send', async () => {
      const clock = leapingClock()
      await using people = await openPeople(driver, { clock })
      const { alice, bob, roomId } = people
      for (let minute = 0; minute < 6; minute++) {
        clock.leap(60_000)
        await alice.firstSync()
        await bob.firstSync()
      }
      clock.leap(6_000)
      assert.equal(presenceIn(await bob.sync()).get(alice.userId)!['presence'], 'unavailable')
      await alice.say(roomId, 'back')
      assert.equal(presenceIn(await bob.sync()).get(alice.userId)!['presence'], 'online')
    })

    it('is not there at all where it is switched off', async () => {
      await using people = await openPeople(driver, { config: { presence: { enabled: false } } })
      const { alice, bob } = people
      const status = `/presence/${escaped(alice.userId)}/status`
      await alice.call('PUT', status, { presence: 'online' })
      assert.deepEqual(await bob.call('GET', status), { presence: 'offline' })
      assert.equal(presenceIn(await bob.firstSync()).size, 0)
      assert.equal(people.server.hs.volatile.position(), 0)
    })
  })
}
