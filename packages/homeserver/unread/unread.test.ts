import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { findRoom } from '../rooms/load-head.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople, type People, type Person } from '../user-data/test-people.ts'
import { createUnread } from './create-unread.ts'
import type { UnreadCounts } from './counts.ts'

const escaped = encodeURIComponent
const THREADS = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } })

interface Shown {
  readonly main: string
  readonly threads: JsonObject
}

function shown({ main, threads }: UnreadCounts): Shown {
  const text = (count: { notify: number; highlight: number }): string => `${count.notify}/${count.highlight}`
  return {
    main: text(main),
    threads: Object.fromEntries([...threads].map(([id, count]) => [id, text(count)])),
  }
}

/** Bob's counts, as kept up by the server and as counted anew, which must agree. `notify/highlight`. */
async function counts(people: People, separate = true, who: Person = people.bob): Promise<Shown> {
  const { hs } = people.server
  const room = (await findRoom(hs.rooms, people.roomId as never))!
  const userId = who.userId as UserId
  const ask = async (unread: typeof hs.unread): Promise<Shown> =>
    shown(await unread.countsOf(userId, room, hs.log.head(), separate))
  const kept = await ask(hs.unread)
  const anew = createUnread({ ...hs, budget: createMemoryBudget(1_000_000) })
  assert.deepEqual(kept, await ask(anew))
  await anew.prepare(userId, [...(await hs.rooms.members.roomsOf(userId)).byId.values()], hs.log.head())
  assert.deepEqual(kept, await ask(anew))
  return kept
}

async function read(people: People, eventId: string, threadId?: string, type = 'm.read'): Promise<void> {
  const body = threadId === undefined ? {} : { thread_id: threadId }
  await people.bob.call('POST', `${people.room}/receipt/${type}/${escaped(eventId)}`, body)
}

const inThread = (root: string, more: JsonObject = {}): JsonObject => ({
  'm.relates_to': { rel_type: 'm.thread', event_id: root },
  ...more,
})

const mention = (who: Person): JsonObject => ({ 'm.mentions': { user_ids: [who.userId] } })

for (const driver of await findServerDrivers()) {
  describe(`unread counts on ${driver.name}`, { skip: driver.skip }, () => {
    it('follow messages, mentions, threads, and threaded and unthreaded receipts', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      assert.deepEqual(await counts(people), { main: '0/0', threads: {} })
      const a = await alice.say(roomId, 'A')
      const b = await alice.say(roomId, 'B', inThread(a))
      await alice.say(roomId, 'C', inThread(a, mention(bob)))
      const d = await alice.say(roomId, 'D', mention(bob))
      await alice.say(roomId, 'E', inThread(a))
      const f = await alice.say(roomId, 'F', { 'm.relates_to': { rel_type: 'm.reference', event_id: a } })
      const annotates = { 'm.relates_to': { rel_type: 'm.annotation', event_id: f, key: 'x' } }
      const g = await alice.say(roomId, 'G', annotates, 'm.room.reaction')
      assert.deepEqual(await counts(people, false), { main: '6/2', threads: {} })
      assert.deepEqual(await counts(people), { main: '3/1', threads: { [a]: '3/1' } })
      await read(people, a, 'main')
      assert.deepEqual(await counts(people), { main: '2/1', threads: { [a]: '3/1' } })
      await read(people, b, a)
      assert.deepEqual(await counts(people), { main: '2/1', threads: { [a]: '2/1' } })
      await read(people, d)
      assert.deepEqual(await counts(people), { main: '1/0', threads: { [a]: '1/0' } })
      await read(people, g, a)
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await read(people, g, undefined, 'm.read.private')
      assert.deepEqual(await counts(people), { main: '0/0', threads: {} })
      await read(people, d)
      assert.deepEqual(await counts(people), { main: '0/0', threads: {} })
    })

    it('are shown in sync, with threads apart for those who ask', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const root = await alice.say(roomId, 'root')
      await alice.say(roomId, 'reply', inThread(root))
      const part = async (query: Record<string, string>): Promise<JsonObject> => {
        const { rooms } = (await bob.firstSync(query)) as { rooms: { join: Record<string, JsonObject> } }
        return rooms.join[roomId]!
      }
      const plain = await part({})
      assert.deepEqual(plain['unread_notifications'], { notification_count: 2, highlight_count: 0 })
      assert.equal(plain['unread_thread_notifications'], undefined)
      const apart = await part({ filter: THREADS })
      assert.deepEqual(apart['unread_notifications'], { notification_count: 1, highlight_count: 0 })
      assert.deepEqual(apart['unread_thread_notifications'], {
        [root]: { notification_count: 1, highlight_count: 0 },
      })
    })

    it('do not count notices, reactions, edits, one’s own messages, or what was there before', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const message = await alice.say(roomId, 'one')
      await alice.say(roomId, 'notice', { msgtype: 'm.notice', ...mention(bob) })
      await alice.say(roomId, 'edit', { 'm.relates_to': { rel_type: 'm.replace', event_id: message } })
      const reaction = { 'm.relates_to': { rel_type: 'm.annotation', event_id: message, key: 'x' } }
      await alice.say(roomId, '', reaction, 'm.reaction')
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await bob.say(roomId, '', reaction, 'm.reaction')
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await bob.say(roomId, 'mine')
      assert.deepEqual(await counts(people), { main: '0/0', threads: {} })
      await alice.say(roomId, 'two')
      await bob.say(roomId, 'in a thread of mine', inThread(message))
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      const carol = await people.register('carol')
      await carol.call('POST', `/join/${escaped(roomId)}`, {})
      assert.deepEqual(await counts(people, true, carol), { main: '0/0', threads: {} })
      await bob.call('PUT', `/profile/${escaped(bob.userId)}/displayname`, { displayname: 'B' })
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
    })

    it('count polls that begin or end, and not how people answer', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const poll = await alice.say(roomId, 'Tea?', {}, 'org.matrix.msc3381.poll.start')
      const about = { 'm.relates_to': { rel_type: 'm.reference', event_id: poll } }
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await alice.say(roomId, `as ${bob.userId}`, about, 'org.matrix.msc3381.poll.response')
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await alice.say(roomId, 'Tea.', { ...about, ...mention(bob) }, 'org.matrix.msc3381.poll.end')
      assert.deepEqual(await counts(people), { main: '2/1', threads: {} })
      for (const step of ['start', 'end']) {
        const rule = `/pushrules/global/underride/.org.matrix.msc3930.rule.poll_${step}_one_to_one`
        await bob.call('PUT', `${rule}/enabled`, { enabled: false })
      }
      // With the rule for rooms of two off, the one for any room says the same.
      assert.deepEqual(await counts(people), { main: '2/1', threads: {} })
      await bob.call('PUT', '/pushrules/global/underride/.org.matrix.msc3930.rule.poll_start/enabled', {
        enabled: false,
      })
      assert.deepEqual(await counts(people), { main: '1/1', threads: {} })
    })

    it('go down when a message is redacted, mentioned or not', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const root = await alice.say(roomId, 'root')
      const ids = [await alice.say(roomId, 'hey', mention(bob)), await alice.say(roomId, 't', inThread(root))]
      assert.deepEqual(await counts(people), { main: '2/1', threads: { [root]: '1/0' } })
      for (const [index, id] of ids.entries())
        await alice.call('PUT', `${room}/redact/${escaped(id)}/r${index}${id.slice(1, 5)}`, {})
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
    })

    it('highlight mentions of the room by those who may, and mentions outside messages', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const carol = await people.register('carol')
      await carol.call('POST', `/join/${escaped(roomId)}`, {})
      await counts(people)
      await carol.say(roomId, 'all of you', { 'm.mentions': { room: true } })
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await alice.say(roomId, 'all of you', { 'm.mentions': { room: true } })
      assert.deepEqual(await counts(people), { main: '2/1', threads: {} })
      await alice.say(roomId, 'a kind of one’s own', mention(bob), 'org.example.poll')
      assert.deepEqual(await counts(people), { main: '3/2', threads: {} })
      const many = Array.from({ length: 30 }, (_, i) => `@u${i}:test.example`)
      await alice.say(roomId, 'many', { 'm.mentions': { user_ids: [...many, bob.userId] } })
      assert.deepEqual(await counts(people), { main: '4/3', threads: {} })
    })

    it('follow the user’s own rules: mentions only, muted, keywords, all rules off', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      await alice.say(roomId, 'one')
      await alice.say(roomId, 'two', mention(bob))
      await alice.say(roomId, 'a banana')
      const rules = '/pushrules/global'
      const roomRule = `${rules}/room/${escaped(roomId)}`
      const each = async (expected: string): Promise<void> => {
        const before = await counts(people)
        assert.equal(before.main, expected)
      }
      await each('3/1')
      await bob.call('PUT', roomRule, { actions: [] })
      await each('1/1')
      await bob.call('PUT', `${rules}/content/word`, {
        pattern: 'banana',
        actions: ['notify', { set_tweak: 'highlight' }],
      })
      await each('2/2')
      await alice.say(roomId, 'another banana')
      await alice.say(roomId, 'an apple')
      await each('3/3')
      await bob.call('DELETE', `${rules}/content/word`)
      await bob.call('DELETE', roomRule)
      await each('5/1')
      const conditions = [{ kind: 'event_match', key: 'room_id', pattern: roomId }]
      await bob.call('PUT', `${rules}/override/${escaped(roomId)}`, { conditions, actions: [] })
      await alice.say(roomId, 'three', mention(bob))
      await each('0/0')
      await bob.call('DELETE', `${rules}/override/${escaped(roomId)}`)
      await each('6/2')
      await bob.call('PUT', `${rules}/override/.m.rule.master/enabled`, { enabled: true })
      await each('0/0')
      await bob.call('PUT', `${rules}/override/.m.rule.master/enabled`, { enabled: false })
      await bob.call('PUT', `${rules}/underride/.m.rule.message/enabled`, { enabled: false })
      await bob.call('PUT', `${rules}/underride/.m.rule.room_one_to_one/enabled`, { enabled: false })
      await each('2/2')
    })

    it('leave out whom the user ignores', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const carol = await people.register('carol')
      await carol.call('POST', `/join/${escaped(roomId)}`, {})
      await carol.say(roomId, 'spam', mention(bob))
      await alice.say(roomId, 'one')
      await counts(people)
      await bob.call('PUT', `/user/${escaped(bob.userId)}/account_data/m.ignored_user_list`, {
        ignored_users: { [carol.userId]: {} },
      })
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
      await carol.say(roomId, 'more spam')
      assert.deepEqual(await counts(people), { main: '1/0', threads: {} })
    })

    it('agree, kept up or counted anew, after any run of messages, receipts and redactions', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      // A fixed sequence of choices, so that a failure comes again.
      let seed = 7
      const choose = (n: number): number => (seed = (seed * 48_271) % 2_147_483_647) % n
      const sent: { id: string; thread: string | undefined }[] = []
      const pick = (): { id: string; thread: string | undefined } => sent[choose(sent.length)]!
      const roots = [await alice.say(roomId, 'root 1'), await alice.say(roomId, 'root 2')]
      for (let step = 0; step < 60; step++) {
        const thread = choose(2) === 0 ? undefined : roots[choose(2)]!
        const who = choose(5) === 0 ? bob : alice
        const more = choose(4) === 0 ? mention(bob) : {}
        const kind = choose(8)
        if (kind < 5 || sent.length === 0) {
          const relation = thread === undefined ? {} : inThread(thread)
          sent.push({ id: await who.say(roomId, `${step}`, { ...relation, ...more }), thread })
        } else if (kind === 5) await read(people, pick().id)
        else if (kind === 6) {
          const target = pick()
          await read(people, target.id, target.thread ?? 'main')
        } else await alice.call('PUT', `${room}/redact/${escaped(pick().id)}/x${step}`, {})
        await counts(people)
        await counts(people, false)
      }
    })
  })
}
