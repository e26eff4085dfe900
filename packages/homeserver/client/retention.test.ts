import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, Mxc, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { serverCameIn } from '@causeway/store/tables/room-servers.ts'
import { applyRetention } from '../jobs/apply-retention.ts'
import { forgetUnreferencedMedia } from '../media/forget-unreferenced.ts'
import { appendEvent } from '../rooms/append-event.ts'
import { serveEvent } from '../rooms/history/serve-events.ts'
import { findRoom } from '../rooms/load-head.ts'
import { writeToRoom } from '../rooms/write-to-room.ts'
import { findServerDrivers, testConfig, type ServerDriver } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PLACE = '/_matrix/client/v3'

interface Scene extends AsyncDisposable {
  readonly server: TestPeople
  /** A room of alice and bob. */
  room(more?: JsonObject): Promise<string>
  say(who: string, roomId: string, body: string, more?: JsonObject): Promise<string>
  live(roomId: string, policy: JsonObject): Promise<void>
  days(n: number): void
  /** Has what is due removed. */
  apply(): Promise<void>
  /** What somebody reads when they page back through all of a room. */
  bodies(who: string, roomId: string): Promise<unknown[]>
  isStored(eventId: string): Promise<boolean>
}

async function open(driver: ServerDriver, retention: JsonObject): Promise<Scene> {
  let now = Date.UTC(2026, 0, 1)
  const defaults = testConfig('', {}).retention
  const server = await openTestPeople(
    driver,
    { retention: { ...defaults, ...retention } },
    { ...systemClock, now: () => now },
  )
  Object.assign(server.hs.config.media, { redacted_kept: 7 * DAY_MS, max_upload_size: 1_000_000 })
  const at = (roomId: string): string => `${PLACE}/rooms/${encodeURIComponent(roomId)}`
  return {
    server,
    async room(more = {}) {
      const body = { preset: 'public_chat', ...more }
      const roomId = (await server.call('alice', 'POST', `${PLACE}/createRoom`, body))['room_id'] as string
      await server.call('bob', 'POST', `${at(roomId)}/join`, {})
      return roomId
    },
    say: (who, roomId, body, more = {}) => {
      now += 1
      return server.say(who, roomId, { msgtype: 'm.text', body, ...more })
    },
    async live(roomId, policy) {
      await server.call('alice', 'PUT', `${at(roomId)}/state/m.room.retention/`, policy)
    },
    days: (n) => void (now += n * DAY_MS),
    async apply() {
      await applyRetention(server.hs)
      await server.hs.jobs.idle()
      const open = await server.hs.db.query('SELECT id, error FROM jobs WHERE finished_ts = 0', [])
      assert.deepEqual(open, [])
    },
    async bodies(who, roomId) {
      const page = await server.call(who, 'GET', `${at(roomId)}/messages?dir=b&limit=1000`)
      const events = page['chunk'] as { type: string; content: JsonObject }[]
      return events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content['body'])
    },
    async isStored(eventId) {
      return (await findEventRows(server.hs.db, [eventId])).length > 0
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

for (const driver of await findServerDrivers()) {
  describe(`messages that outlive their time on ${driver.name}`, { skip: driver.skip }, () => {
    it('are shown to nobody at once, and are gone with all that follows from them later', async () => {
      await using scene = await open(driver, { enabled: true })
      const { server } = scene
      const roomId = await scene.room({ name: 'Hall' })
      const [room, forEver] = [`${PLACE}/rooms/${encodeURIComponent(roomId)}`, await scene.room()]
      await scene.live(roomId, { max_lifetime: DAY_MS })
      const upload = await server.send('alice', {
        method: 'POST',
        url: '/_matrix/media/v3/upload',
        body: Buffer.from('a picture'),
      })
      const mxc = upload.json()['content_uri'] as Mxc
      const old = await scene.say('alice', roomId, 'zanzibar old', { url: mxc })
      await scene.say('alice', forEver, 'zanzibar for ever')
      const related = await scene.say('alice', roomId, 'a reply', {
        'm.relates_to': { rel_type: 'm.thread', event_id: old },
      })
      const since = (await server.call('bob', 'GET', `${PLACE}/sync?timeout=0`))['next_batch'] as string
      scene.days(0.5)
      const young = await scene.say('alice', roomId, 'zanzibar young')
      assert.deepEqual(await scene.bodies('bob', roomId), ['zanzibar young', 'a reply', 'zanzibar old'])
      scene.days(0.6)

      const unread = async (): Promise<unknown> => {
        const answer = await server.call('bob', 'GET', `${PLACE}/sync?timeout=0`)
        const joined = (answer['rooms'] as { join: Record<string, JsonObject> }).join[roomId]!
        return (joined['unread_notifications'] as JsonObject)['notification_count']
      }
      const told = async (query: string): Promise<unknown[]> => {
        const answer = await server.call('bob', 'GET', `${PLACE}/sync?timeout=0${query}`)
        const joined = (answer['rooms'] as { join: Record<string, JsonObject> }).join[roomId]!
        const { events } = joined['timeline'] as { events: { type: string; content: JsonObject }[] }
        return events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content['body'])
      }
      const find = async (): Promise<unknown[]> => {
        await server.hs.search.caughtUp()
        const answer = await server.call('bob', 'POST', `${PLACE}/search`, {
          search_categories: { room_events: { search_term: 'zanzibar' } },
        })
        const { results } = (answer['search_categories'] as { room_events: JsonObject }).room_events
        return (results as { result: { content: JsonObject } }[])
          .map(({ result }) => result.content['body'] as string)
          .toSorted((a, b) => (a < b ? -1 : 1))
      }
      const check = async (): Promise<void> => {
        assert.deepEqual(await scene.bodies('bob', roomId), ['zanzibar young'])
        for (const path of [`event/${encodeURIComponent(old)}`, `context/${encodeURIComponent(old)}`]) {
          const answer = await server.send('bob', { method: 'GET', url: `${room}/${path}` })
          assert.equal(answer.status, 404, path)
        }
        assert.deepEqual(await told(''), ['zanzibar young'])
        assert.deepEqual(await told(`&since=${since}`), ['zanzibar young'])
        assert.deepEqual(await find(), ['zanzibar for ever', 'zanzibar young'])
        const around = await server.call(
          'bob',
          'GET',
          `${room}/context/${encodeURIComponent(young)}?limit=50`,
        )
        const before = around['events_before'] as { type: string }[]
        assert.ok(before.length > 5 && before.every(({ type }) => type !== 'm.room.message'))
      }
      await check()
      assert.deepEqual([await scene.isStored(old), await unread()], [true, 3])
      await scene.apply()
      await check()
      assert.deepEqual(
        [
          await scene.isStored(old),
          await scene.isStored(related),
          await scene.isStored(young),
          await unread(),
        ],
        [false, false, true, 1],
      )
      // Everything that names them; the room's other rows, and other rooms, are as they were.
      for (const table of ['relations', 'search_documents', 'media_references', 'mentions']) {
        const sql = `SELECT event_nid FROM ${table} t WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.nid = t.event_nid)`
        assert.deepEqual(await server.hs.db.query(sql, []), [], table)
      }
      assert.deepEqual(await scene.bodies('bob', forEver), ['zanzibar for ever'])
      const { name } = await server.call('bob', 'GET', `${room}/state/m.room.name/`)
      assert.equal(name, 'Hall')
      scene.days(8)
      await forgetUnreferencedMedia(server.hs).run()
      const { serverName, mediaId } = splitMxc(mxc)
      const url = `/_matrix/client/v1/media/download/${serverName}/${mediaId}`
      assert.equal((await server.send('alice', { method: 'GET', url })).status, 404)
    })

    it('the last one stays as long as the room goes on from it, without what it said', async () => {
      await using scene = await open(driver, { enabled: true })
      const { hs } = scene.server
      const roomId = await scene.room()
      await scene.live(roomId, { max_lifetime: DAY_MS })
      const [first, last] = [
        await scene.say('bob', roomId, 'first'),
        await scene.say('bob', roomId, 'last words'),
      ]
      // To another server: what it said, and later that there was something.
      const room = (await findRoom(hs.rooms, roomId as RoomId))!
      const other = 'other.example' as ServerName
      await hs.db.commit({ entries: [], steps: [serverCameIn(room.roomNid, other, 1)] })
      const served = async (): Promise<unknown> =>
        (JSON.parse(await serveEvent(hs.rooms, other, last as EventId)) as { pdus: JsonObject[] }).pdus[0]![
          'content'
        ]
      assert.equal(((await served()) as JsonObject)['body'], 'last words')
      scene.days(2)
      assert.deepEqual(await served(), {})
      await scene.apply()
      assert.deepEqual([await scene.isStored(first), await scene.isStored(last)], [false, true])
      const [row] = await findEventRows(hs.db, [last])
      assert.ok(
        !JSON.stringify(row!.json).includes('last words') && !String(row!.json).includes('last words'),
      )
      assert.deepEqual(await served(), {})
      assert.deepEqual(await scene.bodies('bob', roomId), [])
      await scene.say('alice', roomId, 'good morning')
      assert.deepEqual(await scene.bodies('bob', roomId), ['good morning'])
      await scene.apply()
      assert.deepEqual(
        [await scene.isStored(last), await scene.bodies('bob', roomId)],
        [false, ['good morning']],
      )
    })

    it('by what the room says within what the operator allows, or else by what the operator says', async () => {
      const limits = { allowed_lifetime_min: 2 * DAY_MS, allowed_lifetime_max: 20 * DAY_MS }
      const defaults = { default_min_lifetime: DAY_MS, default_max_lifetime: 10 * DAY_MS }
      await using scene = await open(driver, { enabled: true, ...limits, ...defaults })
      const { server } = scene
      const policies: Record<string, JsonObject | undefined> = {
        'nothing is said': undefined,
        'too short': { max_lifetime: 1_000 },
        'too long': { max_lifetime: 1_000 * DAY_MS },
        'promised for longer': { min_lifetime: 15 * DAY_MS },
        'as it says': { max_lifetime: 5 * DAY_MS, min_lifetime: DAY_MS },
      }
      const rooms = new Map<string, string>()
      for (const [name, policy] of Object.entries(policies)) {
        const roomId = await scene.room()
        if (policy !== undefined) await scene.live(roomId, policy)
        await scene.say('alice', roomId, name)
        await scene.say('alice', roomId, 'another')
        rooms.set(name, roomId)
      }
      const living = async (): Promise<string[]> => {
        const names: string[] = []
        for (const [name, roomId] of rooms)
          if ((await scene.bodies('bob', roomId)).includes(name)) names.push(name)
        return names
      }
      const lives: string[][] = []
      // Days 1.5, 4, 7, 12, 17 and 25.
      for (const days of [1.5, 2.5, 3, 5, 5, 8]) {
        scene.days(days)
        if (days !== 5) await scene.apply()
        lives.push(await living())
      }
      const [none, short, long, promised, said] = Object.keys(policies) as [
        string,
        string,
        string,
        string,
        string,
      ]
      assert.deepEqual(lives, [
        [none, short, long, promised, said],
        [none, long, promised, said],
        [none, long, promised],
        [long, promised],
        [long],
        [],
      ])
      const path = '/_matrix/client/unstable/org.matrix.msc1763/retention/configuration'
      assert.deepEqual(await server.call('bob', 'GET', path), {
        policies: { '*': { min_lifetime: DAY_MS, max_lifetime: 10 * DAY_MS } },
        limits: { max_lifetime: { min: 2 * DAY_MS, max: 20 * DAY_MS } },
      })
      // What makes no sense cannot be said.
      const room = `${PLACE}/rooms/${encodeURIComponent(rooms.get(none)!)}`
      for (const body of [
        { max_lifetime: '1d' },
        { min_lifetime: -1 },
        { min_lifetime: 2, max_lifetime: 1 },
      ]) {
        const answer = await server.send('alice', {
          method: 'PUT',
          url: `${room}/state/m.room.retention/`,
          body: body as never,
        })
        assert.deepEqual([answer.status, answer.json()['errcode']], [400, 'M_BAD_JSON'])
      }
    })

    it('wherever they stand: what claims to be older than what is before it goes in its place', async () => {
      await using scene = await open(driver, { enabled: true, default_max_lifetime: 10 * DAY_MS })
      const { hs } = scene.server
      const roomId = await scene.room()
      scene.days(5)
      const before = await scene.say('alice', roomId, 'five days old')
      scene.days(-20)
      const odd = await scene.say('alice', roomId, 'from another clock')
      await scene.say('alice', roomId, '* edited by another clock', {
        'm.new_content': { msgtype: 'm.text', body: 'edited by another clock' },
        'm.relates_to': { rel_type: 'm.replace', event_id: before },
      })
      scene.days(25)
      const after = await scene.say('alice', roomId, 'new')
      assert.deepEqual(await scene.bodies('bob', roomId), ['new', 'five days old'])
      const url = `${PLACE}/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=1000`
      const shown = await scene.server.call('bob', 'GET', url)
      assert.ok(!JSON.stringify(shown).includes('another clock'), 'not by the message that it edits, either')
      await scene.apply()
      const stored = await Promise.all([before, odd, after].map((id) => scene.isStored(id)))
      // In the midst of what stays it is a part of the graph.
      assert.deepEqual(stored, [true, true, true])
      const [row] = await findEventRows(hs.db, [odd])
      assert.ok(
        !Buffer.from(row!.json as string)
          .toString()
          .includes('another clock'),
      )
      // Far behind the first that stays as well, as soon as it has come.
      const sender = '@alice:test.example' as UserId
      await writeToRoom(hs.rooms, roomId as RoomId, async (write) => {
        for (let n = 0; n < 250; n++) {
          const content = { msgtype: 'm.text', body: `new ${n}` }
          await appendEvent(hs.rooms, write, { type: 'm.room.message', sender, content })
        }
        return { value: undefined }
      })
      scene.days(-25)
      const imported = await scene.say('alice', roomId, 'from an old archive')
      scene.days(25)
      await scene.say('alice', roomId, 'newest')
      await scene.apply()
      const [late] = await findEventRows(hs.db, [imported])
      assert.ok(
        !Buffer.from(late!.json as string)
          .toString()
          .includes('archive'),
      )
      scene.days(7)
      await scene.apply()
      assert.deepEqual([await scene.isStored(before), await scene.isStored(odd)], [false, false])
      assert.deepEqual((await scene.bodies('bob', roomId)).length, 252)
    })

    it('live for ever where the operator has not turned that on, whatever rooms say', async () => {
      await using scene = await open(driver, { default_max_lifetime: DAY_MS })
      const roomId = await scene.room()
      await scene.live(roomId, { max_lifetime: DAY_MS })
      const said = await scene.say('alice', roomId, 'still here')
      await scene.say('alice', roomId, 'and more')
      scene.days(1_000)
      await scene.apply()
      assert.ok(await scene.isStored(said))
      assert.deepEqual(await scene.bodies('bob', roomId), ['and more', 'still here'])
      const path = '/_matrix/client/unstable/org.matrix.msc1763/retention/configuration'
      const answer = await scene.server.send('bob', { method: 'GET', url: path })
      assert.deepEqual([answer.status, answer.json()['errcode']], [404, 'M_UNRECOGNIZED'])
    })
  })
}
