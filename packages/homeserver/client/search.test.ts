import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { patientClock } from '../test-patience.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

interface Found {
  readonly count: number
  readonly highlights: string[]
  readonly results: {
    readonly rank: number
    readonly result: { event_id: string; room_id: string; content: { body?: string } & JsonObject }
    readonly context?: JsonObject
  }[]
  readonly next_batch?: string
  readonly groups?: Record<string, Record<string, { order: number; results: string[]; next_batch?: string }>>
  readonly state?: Record<string, JsonObject[]>
}

async function search(
  people: TestPeople,
  who: string,
  criteria: JsonObject,
  nextBatch?: string,
): Promise<Found> {
  const query = nextBatch === undefined ? '' : `?next_batch=${encodeURIComponent(nextBatch)}`
  const body = { search_categories: { room_events: criteria } }
  const answer = await people.call(who, 'POST', `/_matrix/client/v3/search${query}`, body)
  return (answer['search_categories'] as { room_events: unknown }).room_events as Found
}

/** The texts that somebody finds, newest first. */
async function find(
  people: TestPeople,
  who: string,
  words: string,
  more: JsonObject = {},
): Promise<string[]> {
  const found = await search(people, who, { search_term: words, order_by: 'recent', ...more })
  return found.results.map(
    ({ result: { content } }) => (content.body ?? content['name'] ?? content['topic']) as string,
  )
}

async function newRoom(people: TestPeople, who: string, more: JsonObject = {}): Promise<string> {
  return (await people.call(who, 'POST', '/_matrix/client/v3/createRoom', more))['room_id'] as string
}

const at = (roomId: string, rest: string): string =>
  `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${rest}`
const join = (people: TestPeople, who: string, roomId: string) =>
  people.call(who, 'POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {})
const text = (body: string): JsonObject => ({ msgtype: 'm.text', body })

async function sayAll(
  people: TestPeople,
  who: string,
  roomId: string,
  bodies: readonly string[],
): Promise<string[]> {
  const ids: string[] = []
  for (const body of bodies) ids.push(await people.say(who, roomId, text(body)))
  return ids
}

/** What is said, and words that find it or do not. */
const SCRIPTS: readonly {
  readonly said: string
  readonly by: readonly string[]
  readonly not: readonly string[]
}[] = [
  { said: "L'été à Genève, ça va", by: ['ete', 'ÉTÉ', 'geneve ca'], not: ['gene', 'genf'] },
  { said: 'Die Straße nach Łódź', by: ['STRASSE', 'lodz'], not: ['lod'] },
  { said: 'Съешь ещё этих булок', by: ['еще', 'СЪЕШЬ этих'], not: ['булка'] },
  { said: 'Ο χάρτης της πόλεως', by: ['ΧΑΡΤΗΣ', 'χαρτης'], not: ['χάρτη'] },
  { said: 'خَرَائِط الأحمد', by: ['خرائط', 'الاحمد'], not: ['خرا'] },
  { said: 'שָׁלוֹם עולם', by: ['שלום', 'עולם'], not: ['של'] },
  { said: 'नक़्शा और दुनिया', by: ['नक्शा', 'दुनिया'], not: ['दुनि'] },
  { said: 'ฉันชอบแผนที่มาก', by: ['แผนที่', 'ชอบ'], not: ['แผนก'] },
  { said: '我昨天在东京塔看地图', by: ['东京塔', '地图', '图'], not: ['图地', '山', '东京看塔'] },
  { said: '昨日はﾀﾜｰに行きました', by: ['タワー', '行き'], not: ['ワータ'] },
  { said: '서울에서 지도를 만나요', by: ['서울', '지도'], not: ['도지'] },
]

for (const driver of await findServerDrivers()) {
  describe(`message search on ${driver.name}`, { skip: driver.skip }, () => {
    it('finds what was said in every script, and nothing else', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const roomId = await newRoom(people, 'alice')
      await sayAll(
        people,
        'alice',
        roomId,
        SCRIPTS.map(({ said }) => said),
      )
      for (const { said, by, not } of SCRIPTS) {
        for (const words of by) assert.deepEqual(await find(people, 'alice', words), [said], words)
        for (const words of not) assert.deepEqual(await find(people, 'alice', words), [], words)
      }
      for (const words of ['', ' . ', '"†r1" OR', "' | 'x", 'a* NOT b', '\u0000']) {
        assert.deepEqual(await find(people, 'alice', words), [], words)
      }
    })

    it('finds names and topics of rooms, each where it is sought, and never what was encrypted', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      await newRoom(people, 'alice', { name: 'Mapping night', topic: 'Maps by night' })
      const roomId = await newRoom(people, 'alice')
      await people.say('alice', roomId, text('good night'))
      await people.say(
        'alice',
        roomId,
        { algorithm: 'm.megolm.v1.aes-sha2', body: 'night' },
        'm.room.encrypted',
      )
      const by = (keys?: string[]) => find(people, 'alice', 'night', keys === undefined ? {} : { keys })
      assert.deepEqual(await by(), ['good night', 'Maps by night', 'Mapping night'])
      assert.deepEqual(await by(['content.body']), ['good night'])
      assert.deepEqual(await by(['content.name']), ['Mapping night'])
      assert.deepEqual(await by(['content.topic', 'content.name']), ['Maps by night', 'Mapping night'])
      assert.deepEqual(await by(['content.body', 'content.topic']), ['good night', 'Maps by night'])
      assert.deepEqual(await by([]), [])
    })

    it('finds in each room only what the reader may see of it', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const history = (visibility: string): JsonObject => ({
        preset: 'public_chat',
        initial_state: [
          { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: visibility } },
        ],
      })
      const [joined, shared, world, other] = [
        await newRoom(people, 'alice', history('joined')),
        await newRoom(people, 'alice', history('shared')),
        await newRoom(people, 'alice', history('world_readable')),
        await newRoom(people, 'alice'),
      ]
      for (const [name, roomId] of Object.entries({ joined, shared, world, other })) {
        await people.say('alice', roomId, text(`word ${name} 1`))
      }
      for (const roomId of [joined, shared]) await join(people, 'bob', roomId)
      for (const roomId of [joined, shared]) await people.say('alice', roomId, text(`word ${roomId} 2`))
      const both = [`word ${shared} 2`, `word ${joined} 2`, 'word shared 1']
      assert.deepEqual(await find(people, 'bob', 'word'), both)
      assert.deepEqual(await find(people, 'bob', 'word', { filter: { rooms: [world, other] } }), [
        'word world 1',
      ])
      for (const roomId of [joined, shared]) await people.call('bob', 'POST', at(roomId, 'leave'), {})
      for (const roomId of [joined, shared]) await people.say('alice', roomId, text('word 3'))
      assert.deepEqual(await find(people, 'bob', 'word'), both)
      const count = await search(people, 'bob', { search_term: 'word' })
      assert.equal(count.count, 3)
      await people.call('bob', 'POST', at(shared, 'forget'), {})
      assert.deepEqual(await find(people, 'bob', 'word'), [`word ${joined} 2`])
      assert.deepEqual(await find(people, 'carol', 'word'), [])
    })

    it('leaves out whom the reader ignores, and what a filter leaves out', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const roomId = await newRoom(people, 'alice', { preset: 'public_chat' })
      await join(people, 'bob', roomId)
      await people.say('alice', roomId, text('map one'))
      await people.say('bob', roomId, { ...text('map two'), url: 'mxc://test.example/a' })
      await people.say('bob', roomId, { body: 'map three' }, 'org.example.note')
      const by = (filter: JsonObject) => find(people, 'alice', 'map', { filter })
      assert.deepEqual(await by({}), ['map three', 'map two', 'map one'])
      assert.deepEqual(await by({ senders: ['@bob:test.example'] }), ['map three', 'map two'])
      assert.deepEqual(await by({ not_senders: ['@bob:test.example'] }), ['map one'])
      assert.deepEqual(await by({ types: ['m.room.message'] }), ['map two', 'map one'])
      assert.deepEqual(await by({ not_types: ['m.room.*'] }), ['map three'])
      assert.deepEqual(await by({ contains_url: true }), ['map two'])
      assert.deepEqual(await by({ not_rooms: [roomId] }), [])
      assert.deepEqual(await by({ rooms: [] }), [])
      assert.deepEqual(await by({ limit: 1 }), ['map three'])
      await people.call(
        'alice',
        'PUT',
        '/_matrix/client/v3/user/@alice:test.example/account_data/m.ignored_user_list',
        {
          ignored_users: { '@bob:test.example': {} },
        },
      )
      assert.deepEqual(await by({}), ['map one'])
    })

    it('goes through an upgraded room and what it was before', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const old = await newRoom(people, 'alice')
      await people.say('alice', old, text('before the upgrade'))
      const { replacement_room: roomId } = await people.call('alice', 'POST', at(old, 'upgrade'), {
        new_version: '11',
      })
      await people.say('alice', roomId as string, text('after the upgrade'))
      const both = ['after the upgrade', 'before the upgrade']
      assert.deepEqual(
        await find(people, 'alice', 'upgrade', { filter: { rooms: [roomId as string] } }),
        both,
      )
      assert.deepEqual(await find(people, 'alice', 'upgrade', { filter: { rooms: [old] } }), both.slice(1))
    })

    it('gives pages that are not moved by what is said meanwhile, in both orders, and by groups', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const rooms = [await newRoom(people, 'alice'), await newRoom(people, 'alice')]
      const said = Array.from({ length: 25 }, (_, n) => `message ${'so '.repeat(n % 5)}${n}`)
      for (const [n, body] of said.entries()) await people.say('alice', rooms[n % 2]!, text(body))
      for (const order of ['recent', 'rank']) {
        const criteria = { search_term: 'message', order_by: order, filter: { limit: 10 } }
        const pages: Found[] = []
        let next: string | undefined
        do {
          const page = await search(people, 'alice', criteria, next)
          pages.push(page)
          next = page.next_batch
          if (pages.length === 1) await people.say('alice', rooms[0]!, text('message'))
        } while (next !== undefined)
        assert.deepEqual(
          pages.map(({ results }) => results.length),
          [10, 10, order === 'recent' ? 5 : 6],
        )
        const bodies = pages.flatMap(({ results }) => results.map(({ result }) => result.content.body!))
        assert.equal(
          new Set(pages.flatMap(({ results }) => results.map(({ result }) => result.event_id))).size,
          bodies.length,
        )
        if (order === 'recent') assert.deepEqual(bodies, said.toReversed())
        const ranks = pages.flatMap(({ results }) => results.map(({ rank }) => rank))
        if (order === 'rank')
          assert.deepEqual(
            ranks,
            ranks.toSorted((a, b) => b - a),
          )
        assert.ok(pages.every(({ count }) => count === bodies.length))
      }
      const criteria = {
        search_term: 'message',
        order_by: 'recent',
        filter: { limit: 4 },
        groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
      }
      const page = await search(people, 'alice', criteria)
      const ids = page.results.map(({ result }) => result.event_id)
      assert.deepEqual(page.groups!['sender']!['@alice:test.example']!.results, ids)
      const byRoom = page.groups!['room_id']!
      assert.deepEqual(new Set(Object.keys(byRoom)), new Set(rooms))
      const second = byRoom[rooms[1]!]!
      assert.deepEqual(
        second.results,
        page.results.filter(({ result }) => result.room_id === rooms[1]).map(({ result }) => result.event_id),
      )
      const more = await search(people, 'alice', criteria, second.next_batch)
      assert.ok(more.results.every(({ result }) => result.room_id === rooms[1]))
      assert.equal(more.results.length, 4)
      assert.ok(!more.results.some(({ result }) => ids.includes(result.event_id)))
      const wrong = {
        method: 'POST',
        url: '/_matrix/client/v3/search?next_batch=x',
        body: { search_categories: { room_events: criteria } },
      }
      const refused = await people.send('alice', wrong)
      assert.deepEqual([refused.status, refused.json()['errcode']], [400, 'M_INVALID_PARAM'])
    })

    it('tells what was said around a result, who they were then, words to highlight, and the state', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const roomId = await newRoom(people, 'alice', { name: 'A room' })
      const rename = (displayname: string) =>
        people.call('alice', 'PUT', at(roomId, 'state/m.room.member/@alice:test.example'), {
          membership: 'join',
          displayname,
        })
      await rename('Old Alice')
      await sayAll(people, 'alice', roomId, ['number 1', 'number 2', "l'ÉTÉ 3", 'number 4', 'number 5'])
      await rename('New Alice')
      const found = await search(people, 'alice', {
        search_term: 'été',
        event_context: { before_limit: 2, after_limit: 1, include_profile: true },
        include_state: true,
      })
      const [only] = found.results
      const bodies = (list: unknown) =>
        (list as JsonObject[]).map((event) => (event['content'] as JsonObject)['body'])
      assert.deepEqual(bodies(only!.context!['events_before']), ['number 2', 'number 1'])
      assert.deepEqual(bodies(only!.context!['events_after']), ['number 4'])
      assert.deepEqual(only!.context!['profile_info'], {
        '@alice:test.example': { displayname: 'Old Alice' },
      })
      assert.deepEqual([found.count, found.highlights, found.results.length], [1, ['ÉTÉ'], 1])
      const name = found.state![roomId]!.find(({ type }) => type === 'm.room.name')
      assert.deepEqual(name?.['content'], { name: 'A room' })
      const older = await people.call(
        'alice',
        'GET',
        at(roomId, `messages?dir=b&limit=1&from=${only!.context!['start'] as string}`),
      )
      assert.equal(
        ((older['chunk'] as JsonObject[])[0]!['content'] as JsonObject)['displayname'],
        'Old Alice',
      )
    })

    it('finds nothing that was redacted, erased or purged, and keeps nothing of it in the index', async () => {
      await using people = await openTestPeople(driver, {}, patientClock)
      const { hs } = people
      const roomId = await newRoom(people, 'alice', { preset: 'public_chat' })
      const purged = await newRoom(people, 'alice')
      await join(people, 'bob', roomId)
      const [redacted] = await sayAll(people, 'alice', roomId, ['xylophone to redact', 'keep zebra'])
      await people.say('bob', roomId, text('quagga of bob'))
      await people.say('alice', purged, text('okapi purged'))
      for (const words of ['xylophone', 'quagga', 'okapi', 'zebra']) {
        assert.equal((await find(people, 'alice', words)).length, 1, words)
        assert.equal(await occursInIndex(people, words), true, words)
      }
      await people.call('alice', 'PUT', at(roomId, `redact/${encodeURIComponent(redacted!)}/r1`), {})
      await hs.jobs.start('erase_user', '@bob:test.example')
      await hs.jobs.start('purge_room', purged, { force: true })
      await hs.jobs.idle()
      for (const words of ['xylophone', 'quagga', 'okapi']) {
        assert.deepEqual(await find(people, 'alice', words), [], words)
        assert.equal(await occursInIndex(people, words), false, words)
      }
      assert.deepEqual(await find(people, 'alice', 'zebra'), ['keep zebra'])
      // Redacted before the index had it.
      const late = await people.say('alice', roomId, text('wombat'))
      await people.call('alice', 'PUT', at(roomId, `redact/${encodeURIComponent(late)}/r2`), {})
      assert.deepEqual(await find(people, 'alice', 'wombat'), [])
      assert.equal(await occursInIndex(people, 'wombat'), false)
    })
  })
}

/** Whether a word is anywhere in the index: in its rows, in what SQLite's full-text index stores, or found by PostgreSQL's. */
async function occursInIndex({ hs: { db } }: TestPeople, word: string): Promise<boolean> {
  const rows = await db.query("SELECT 1 AS one FROM search_documents WHERE tokens LIKE '%' || ? || '%'", [
    word,
  ])
  if (db.dialect === 'postgres') return rows.length > 0
  const blocks = await db.query<{ block: Uint8Array }>('SELECT block FROM search_index_data', [])
  // Words that begin alike share their beginnings: of these no two do.
  const stored = blocks.some(({ block }) => Buffer.from(block).includes(word.slice(1)))
  assert.equal(stored, rows.length > 0)
  return stored
}
