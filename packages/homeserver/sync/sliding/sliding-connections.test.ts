import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findServerDrivers } from '../../test-server.ts'
import { openPeople } from '../../user-data/test-people.ts'
import {
  bodiesIn,
  extensionIn,
  openSlider,
  orderIn,
  roomIdsIn,
  roomIn,
  stateIn,
  window,
} from './test-slider.ts'

/** What is asked of a database while `run` runs. */
async function watchQueries(db: Database, run: () => Promise<unknown>): Promise<string[]> {
  const asked: string[] = []
  const real = { query: db.query.bind(db), queryLarge: db.queryLarge.bind(db), commit: db.commit.bind(db) }
  Object.assign(db, {
    query: (...args: Parameters<typeof real.query>) => (asked.push(args[0]), real.query(...args)),
    queryLarge: (...args: Parameters<typeof real.query>) => (asked.push(args[0]), real.queryLarge(...args)),
    commit: (...args: Parameters<typeof real.commit>) => (asked.push('commit'), real.commit(...args)),
  })
  try {
    await run()
  } finally {
    Object.assign(db, real)
  }
  return asked
}

const everything = {
  to_device: { enabled: true },
  e2ee: { enabled: true },
  account_data: { enabled: true },
  receipts: { enabled: true },
  typing: { enabled: true },
}

for (const driver of await findServerDrivers()) {
  describe(`connections of sliding sync on ${driver.name}`, { skip: driver.skip }, () => {
    it('answer again what was lost, with all that was in it', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const asked = window(9, { required_state: [['m.room.member', '$LAZY']] })
      const slider = openSlider(server, alice.token, asked)
      const first = await slider.next({ lists: {} })
      const start = slider.pos()
      await bob.say(roomId, 'hello')
      const lost = roomIn(await slider.next(), roomId)!
      slider.rewind(start)
      const again = roomIn(await slider.next(), roomId)!
      assert.deepEqual(bodiesIn(again), bodiesIn(lost))
      assert.equal(again['initial'], true)
      assert.deepEqual(stateIn(again), stateIn(lost))
      const carol = await people.register('carol')
      await carol.call('POST', `${people.room}/join`, {})
      await slider.next()
      const place = slider.pos()
      await carol.say(roomId, 'one')
      await slider.next()
      await carol.say(roomId, 'two')
      slider.rewind(place)
      const both = roomIn(await slider.next(), roomId)!
      assert.deepEqual(bodiesIn(both), ['one', 'two'])
      assert.notEqual(first['pos'], slider.pos())
    })

    it('tell a member again whose answer was lost', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const asked = window(9, { required_state: [['m.room.member', '$LAZY']], timeline_limit: 1 })
      const slider = openSlider(server, alice.token, asked)
      await alice.say(roomId, 'me')
      await slider.next()
      const place = slider.pos()
      await bob.say(roomId, 'hello')
      assert.deepEqual(stateIn(roomIn(await slider.next(), roomId)), [`m.room.member|${bob.userId}`])
      slider.rewind(place)
      assert.deepEqual(stateIn(roomIn(await slider.next(), roomId)), [`m.room.member|${bob.userId}`])
    })

    it('know only the last two answers, and say so of others', async () => {
      await using people = await openPeople(driver)
      const { server, alice, roomId } = people
      const slider = openSlider(server, alice.token, window(9))
      const positions: string[] = []
      for (let at = 0; at < 3; at++) {
        await slider.next(window(9, { timeline_limit: 1 + at }))
        await alice.say(roomId, `m${at}`)
        positions.push(slider.pos()!)
      }
      for (const pos of [positions[0]!, 'nonsense', '9.9/s1_1_a_b', positions[2]!.replace(/^\d+/, '77')]) {
        const refused = await slider.ask(window(9), { pos })
        assert.equal(refused.status, 400)
        assert.equal(refused.body['errcode'], 'M_UNKNOWN_POS')
      }
      const last = await slider.next(window(9, { timeline_limit: 3 }))
      assert.deepEqual(bodiesIn(roomIn(last, roomId)), ['m2'])
    })

    it('are apart from each other, and of one device at most ten', async () => {
      await using people = await openPeople(driver)
      const { server, alice, roomId } = people
      const sliders = Array.from({ length: 11 }, (_, at) =>
        openSlider(server, alice.token, { ...window(9), conn_id: `c${at}` }),
      )
      for (const slider of sliders) assert.deepEqual(roomIdsIn(await slider.next()), [roomId])
      const oldest = await sliders[0]!.ask({ ...window(9), conn_id: 'c0' }, { pos: sliders[0]!.pos()! })
      assert.equal(oldest.body['errcode'], 'M_UNKNOWN_POS')
      await alice.say(roomId, 'to all')
      for (const slider of sliders.slice(1))
        assert.deepEqual(bodiesIn(roomIn(await slider.next(), roomId)), ['to all'])
    })

    it('go on after a restart, and end with the device', async () => {
      const people = await openPeople(driver)
      const { alice, bob, roomId } = people
      const other = (await alice.call('POST', '/createRoom', {}))['room_id'] as string
      const slider = openSlider(people.server, alice.token, window(0))
      assert.deepEqual(orderIn(await slider.next()), [other])
      await bob.say(roomId, 'to the top')
      assert.deepEqual(roomIdsIn(await slider.next()), [roomId])
      await bob.say(roomId, 'just before')
      await using server = await people.server.restart()
      const later = openSlider(server, alice.token, window(9))
      later.rewind(slider.pos())
      const answer = await later.next()
      assert.deepEqual(bodiesIn(roomIn(answer, roomId)), ['just before'])
      assert.equal(roomIn(answer, roomId)!['initial'], undefined)
      assert.equal(roomIn(answer, other), undefined, 'it was told, and nothing has happened there')
      const count = async (): Promise<number> =>
        (await server.hs.db.query('SELECT generation FROM sliding_connections', [])).length
      assert.equal(await count(), 2)
      await server.request('POST', '/_matrix/client/v3/logout', { token: alice.token, body: {} })
      assert.equal(await count(), 0)
    })

    it('wait for news without asking the database, and are woken by them', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const lists = window(9, { filters: { not_room_types: ['m.space'], is_encrypted: false, tags: ['x'] } })
      const asking = (since: unknown): JsonObject => ({
        lists: { ...(window(9)['lists'] as JsonObject), filtered: (lists['lists'] as JsonObject)['all']! },
        extensions: {
          ...everything,
          to_device: { enabled: true, ...(since === '' ? {} : { since: since as string }) },
        },
      })
      const slider = openSlider(server, alice.token, asking(''))
      let since = extensionIn(await slider.next(), 'to_device')['next_batch']
      // What goes on behind the scenes (the user directory, say) asks, too: but not during every poll.
      const polls: string[][] = []
      for (let at = 0; at < 30; at++) {
        const poll = async (): Promise<void> => {
          since = extensionIn(await slider.next(asking(since), 1), 'to_device')['next_batch']
        }
        polls.push(await watchQueries(server.hs.db, poll))
      }
      assert.ok(
        polls.some((asked) => asked.length === 0),
        polls.at(-1)!.join('\n'),
      )
      const waiting = slider.next(asking(since), 60_000)
      while (server.hs.notifier.waiting() === 0) await new Promise((resolve) => setImmediate(resolve))
      await bob.say(roomId, 'wake up')
      assert.deepEqual(bodiesIn(roomIn(await waiting, roomId)), ['wake up'])
    })

    it('of two requests at once only the last one counts', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const slider = openSlider(server, alice.token, window(9))
      await slider.next()
      const pos = slider.pos()!
      const abandoned = slider.ask(window(9), { pos, timeout: '60000' })
      while (server.hs.notifier.waiting() === 0) await new Promise((resolve) => setImmediate(resolve))
      const current = slider.next(window(9, { timeline_limit: 1 }), 60_000)
      while (server.hs.notifier.waiting() < 2) await new Promise((resolve) => setImmediate(resolve))
      await bob.say(roomId, 'once')
      assert.deepEqual(bodiesIn(roomIn(await current, roomId)), ['once'])
      const { body } = await abandoned
      assert.equal(body['pos'], pos)
      assert.deepEqual(roomIdsIn(body), [])
      assert.deepEqual(roomIdsIn(await slider.next()), [])
    })
  })
}
