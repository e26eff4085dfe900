import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { clientRoutes } from '../client/routes.ts'
import { findRoom } from '../rooms/load-head.ts'
import { extensionIn, openSlider } from '../sync/sliding/test-slider.ts'
import { findServerDrivers, type TestServer } from '../test-server.ts'
import { createUnread } from '../unread/create-unread.ts'
import { openPeople, type People, type Person } from '../user-data/test-people.ts'

const EXTENSION = 'io.element.msc4308.thread_subscriptions'
const NOT_IN_THREAD = '400 IO.ELEMENT.MSC4306.M_NOT_IN_THREAD'
const CONFLICT = '409 IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION'
const escaped = encodeURIComponent

const inThread = (root: string): JsonObject => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } })

for (const driver of await findServerDrivers()) {
  describe(`threads one subscribes to, on ${driver.name}`, { skip: driver.skip }, () => {
    let people: People
    let server: TestServer
    before(async () => {
      people = await openPeople(driver, { endpoints: clientRoutes })
      server = people.server
    })
    after(() => server?.[Symbol.asyncDispose]())

    /** `200` with what it says, or the status and errcode. */
    async function ask(who: Person, method: string, root: string, body?: JsonObject): Promise<unknown> {
      const path = `rooms/${escaped(people.roomId)}/thread/${escaped(root)}/subscription`
      const url = `/_matrix/client/unstable/io.element.msc4306/${path}`
      const answer = await server.request(method, url, { token: who.token, ...(body && { body }) })
      const json = answer.json()
      return answer.status === 200 ? json : `${answer.status} ${json['errcode'] as string}`
    }
    const say = (body: string, more: JsonObject = {}): Promise<string> =>
      people.alice.say(people.roomId, body, more)
    const mention = (who: Person): JsonObject => ({ 'm.mentions': { user_ids: [who.userId] } })
    /** The message and one in its thread. */
    const thread = async (): Promise<[string, string]> => {
      const root = await say('root')
      return [root, await say('reply', inThread(root))]
    }

    it('are subscribed to by hand or by a client, which does not undo what was done by hand', async () => {
      const { bob } = people
      const [root, reply] = await thread()
      assert.equal(await ask(bob, 'GET', root), '404 M_NOT_FOUND')
      assert.deepEqual(await ask(bob, 'DELETE', root), {})
      assert.deepEqual(await ask(bob, 'PUT', root, { automatic: reply }), {})
      assert.deepEqual(await ask(bob, 'GET', root), { automatic: true })
      assert.deepEqual(await ask(bob, 'PUT', root, {}), {})
      assert.deepEqual(await ask(bob, 'PUT', root, { automatic: reply }), {})
      assert.deepEqual(await ask(bob, 'GET', root), { automatic: false })
      assert.equal(await ask(people.alice, 'GET', root), '404 M_NOT_FOUND')
      assert.deepEqual(await ask(bob, 'DELETE', root), {})
      assert.equal(await ask(bob, 'GET', root), '404 M_NOT_FOUND')
    })

    it('are not subscribed to again for what was said before one unsubscribed', async () => {
      const { bob } = people
      const [root, first] = await thread()
      await ask(bob, 'PUT', root, { automatic: first })
      const second = await say('second', inThread(root))
      await ask(bob, 'DELETE', root)
      const third = await say('third', inThread(root))
      for (const cause of [first, second])
        assert.equal(await ask(bob, 'PUT', root, { automatic: cause }), CONFLICT)
      assert.equal(await ask(bob, 'GET', root), '404 M_NOT_FOUND')
      assert.deepEqual(await ask(bob, 'PUT', root, { automatic: third }), {})
      assert.deepEqual(await ask(bob, 'GET', root), { automatic: true })
    })

    it('have to exist, to be seen, and to hold what a client subscribes for', async () => {
      const { bob } = people
      const [root] = await thread()
      const [other, reply] = await thread()
      for (const cause of [root, other, reply])
        assert.equal(await ask(bob, 'PUT', root, { automatic: cause }), NOT_IN_THREAD)
      assert.equal(await ask(bob, 'PUT', root, { automatic: '$none' }), '404 M_NOT_FOUND')
      assert.equal(await ask(bob, 'PUT', root, { automatic: true }), '400 M_BAD_JSON')
      const mallory = await people.register('mallory')
      for (const [method, body] of [['GET'], ['PUT', {}], ['DELETE']] as const) {
        assert.equal(await ask(bob, method, '$none', body), '404 M_NOT_FOUND')
        assert.equal(await ask(mallory, method, root, body), '404 M_NOT_FOUND')
      }
    })

    it('are subscribed to once by many requests at a time', async () => {
      const { bob } = people
      const [root, reply] = await thread()
      const bodies = [{}, { automatic: reply }, {}, { automatic: reply }]
      const answers = await Promise.all(bodies.map((body) => ask(bob, 'PUT', root, body)))
      assert.deepEqual(answers, [{}, {}, {}, {}])
      assert.deepEqual(await ask(bob, 'GET', root), { automatic: false })
    })

    it('notify whoever subscribed, however quiet the room; others do so by a mention, once somebody subscribes at all', async () => {
      const carol = await people.register('carol')
      await carol.call('POST', `/join/${escaped(people.roomId)}`, {})
      /** As kept up and as counted anew, which must agree. */
      const counts = async (): Promise<string> => {
        const { hs } = server
        const room = (await findRoom(hs.rooms, people.roomId as never))!
        const anew = createUnread({ ...hs, budget: createMemoryBudget(1_000_000) })
        const [kept, again] = await Promise.all(
          [hs.unread, anew].map((unread) => unread.countsOf(carol.userId as UserId, room, hs.log.head())),
        )
        assert.deepEqual(kept, again)
        return `${kept!.main.notify}/${kept!.main.highlight}`
      }
      const notified = async (): Promise<unknown[]> => {
        const { notifications } = await carol.call('GET', '/notifications?limit=4')
        return (notifications as { event: JsonObject }[]).map(
          ({ event }) => (event['content'] as JsonObject)['body'],
        )
      }
      const readAll = async (): Promise<void> => {
        const at = await say('seen')
        await carol.call('POST', `${people.room}/receipt/m.read/${escaped(at)}`, {})
        assert.equal(await counts(), '0/0')
      }
      const [root] = await thread()
      const [other] = await thread()
      await readAll()
      await say('as ever', inThread(root))
      assert.equal(await counts(), '1/0')
      await ask(carol, 'PUT', root, {})
      await readAll()
      await say('in mine', inThread(root))
      await say('in another', inThread(other))
      assert.equal(await counts(), '1/0')
      await say('for you', { ...inThread(other), ...mention(carol) })
      await say('outside')
      assert.equal(await counts(), '3/1')
      assert.deepEqual((await notified()).slice(0, 3), ['outside', 'for you', 'in mine'])
      await carol.call('PUT', `/pushrules/global/room/${escaped(people.roomId)}`, { actions: [] })
      assert.equal(await counts(), '2/1')
      await ask(carol, 'DELETE', root)
      assert.equal(await counts(), '1/1')
      await ask(carol, 'PUT', other, {})
      assert.equal(await counts(), '2/1')
      const rule = '/pushrules/global/postcontent/.io.element.msc4306.rule.subscribed_thread/enabled'
      assert.deepEqual(await carol.call('GET', rule), { enabled: true })
      assert.deepEqual(await people.alice.call('GET', rule), { enabled: false })
      await carol.call('PUT', rule, { enabled: false })
      await ask(carol, 'PUT', root, {})
      assert.deepEqual(await carol.call('GET', rule), { enabled: false })
      const own = await carol.ask('PUT', '/pushrules/global/postcontent/mine', { actions: ['notify'] })
      assert.deepEqual([own.status, own.body['errcode']], [400, 'M_INVALID_PARAM'])
    })

    it('are told over sliding sync as they change, and what one answer does not hold is asked for', async () => {
      const dora = await people.register('dora')
      await dora.call('POST', `/join/${escaped(people.roomId)}`, {})
      const body = (limit: number): JsonObject => ({ extensions: { [EXTENSION]: { enabled: true, limit } } })
      const told = (part: JsonObject, what: string): Record<string, JsonObject> =>
        ((part[what] as JsonObject | undefined)?.[people.roomId] ?? {}) as Record<string, JsonObject>
      const slider = openSlider(server, dora.token, body(2))
      const first = await slider.next()
      assert.deepEqual(extensionIn(first, EXTENSION), {})
      const [root, reply] = await thread()
      const waiting = slider.next(undefined, 60_000)
      await ask(dora, 'PUT', root, { automatic: reply })
      const one = extensionIn(await waiting, EXTENSION)
      const stamp = told(one, 'subscribed')[root]!['bump_stamp']
      assert.equal(typeof stamp, 'number')
      assert.deepEqual(one, {
        subscribed: { [people.roomId]: { [root]: { automatic: true, bump_stamp: stamp } } },
      })
      const before = slider.pos()!
      const roots: string[] = []
      for (let at = 0; at < 5; at++) {
        roots.push(await say('more'))
        await ask(dora, 'PUT', roots[at]!, {})
      }
      await ask(dora, 'DELETE', root)
      const gap = extensionIn(await slider.next(), EXTENSION)
      assert.deepEqual(Object.keys(told(gap, 'subscribed')), [roots[4]])
      assert.deepEqual(Object.keys(told(gap, 'unsubscribed')), [root])
      const found: string[] = []
      for (let from = gap['prev_batch'] as string | undefined; from !== undefined;) {
        const query = new URLSearchParams({ dir: 'b', from, to: before, limit: '3' }).toString()
        const path = `/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?${query}`
        const page = (await server.request('GET', path, { token: dora.token })).json()
        found.push(...Object.keys(told(page, 'subscribed')))
        assert.equal(page['unsubscribed'], undefined)
        from = page['end'] as string | undefined
      }
      assert.deepEqual(found, roots.slice(0, 4).toReversed())
      const anew = openSlider(server, dora.token, body(100))
      const whole = extensionIn(await anew.next(), EXTENSION)
      assert.equal(Object.keys(told(whole, 'subscribed')).length, 5)
      assert.equal(whole['prev_batch'], undefined)
      assert.deepEqual(extensionIn(await anew.next(), EXTENSION), {})
      for (const [query, errcode] of [
        ['dir=f', 'M_INVALID_PARAM'],
        ['dir=b&limit=0', 'M_INVALID_PARAM'],
        ['dir=b&from=x', 'M_INVALID_PARAM'],
      ] as const) {
        const path = `/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?${query}`
        const refused = await server.request('GET', path, { token: dora.token })
        assert.deepEqual([refused.status, refused.json()['errcode']], [400, errcode])
      }
    })

    it('are remembered when the server starts again', async () => {
      const { bob } = people
      const [root] = await thread()
      const [left, reply] = await thread()
      await ask(bob, 'PUT', root, {})
      await ask(bob, 'PUT', left, {})
      await ask(bob, 'DELETE', left)
      server = await server.restart()
      assert.deepEqual(await ask(bob, 'GET', root), { automatic: false })
      assert.equal(await ask(bob, 'PUT', left, { automatic: reply }), CONFLICT)
    })
  })
}
