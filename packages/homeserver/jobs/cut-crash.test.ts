import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findLeftovers } from '@causeway/store/erasure/fill-suite.ts'
import { cutColumnsOf } from '@causeway/store/erasure/rules.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { listFinishedJobs } from '@causeway/store/tables/jobs.ts'
import { clientRoutes } from '../client/routes.ts'
import type { HomeserverConfig } from '../config.ts'
import { appendEvent } from '../rooms/append-event.ts'
import { HISTORY_END } from '../rooms/history/read-history.ts'
import { writeToRoom } from '../rooms/write-to-room.ts'
import { ok } from '../test-call.ts'
import { openTestServer, testConfig, type TestLogin, type TestServer } from '../test-server.ts'
import type { Kill, Orders } from './cut-crash-worker.ts'

const WORKER = fileURLToPath(new URL('./cut-crash-worker.ts', import.meta.url))
const DAY = 86_400_000
/** Three portions of a room. */
const OLD = 600
const KEPT = 12
const TOPIC_EVERY = 100
/** Of the six writes and more that it takes, whichever room's come first. */
const KILLS: readonly Kill[] = [
  { nth: 2, when: 'written' },
  { nth: 1, when: 'midway' },
]

const keptTexts = Array.from({ length: KEPT }, (_, n) => `kept ${n}`)
const segment = encodeURIComponent

interface Said {
  readonly type: string
  readonly stateKey?: string
  readonly content: JsonObject
  readonly originServerTs: number
}

/** What was said two days ago, with state in between; what is kept; and in its midst what claims to be as old. */
function* conversation(now: number): Generator<Said> {
  const message = (body: string, age: number): Said => ({
    type: 'm.room.message',
    content: { msgtype: 'm.text', body },
    originServerTs: now - age,
  })
  for (let n = 0; n < OLD; n++) {
    yield message(`ancient ${n}`, 2 * DAY)
    if (n % TOPIC_EVERY !== 50) continue
    const content = { topic: `Topic ${n}` }
    yield { type: 'm.room.topic', stateKey: '', content, originServerTs: now - 2 * DAY }
  }
  for (const [n, body] of keptTexts.entries()) {
    yield message(body, 1_000)
    if (n === 3) yield message('ancient and late', 2 * DAY)
  }
}

async function fillRoom({ hs }: TestServer, { userId }: TestLogin, roomId: string): Promise<void> {
  const all = [...conversation(hs.clock.now())]
  for (let at = 0; at < all.length; at += 250) {
    await writeToRoom(hs.rooms, roomId as RoomId, async (write) => {
      for (const one of all.slice(at, at + 250)) {
        await appendEvent(hs.rooms, write, { sender: userId as UserId, ...one })
      }
      return { value: undefined }
    })
  }
}

/** What somebody who was there all the time is shown of a room. */
interface View {
  /** Of messages, the oldest first. */
  readonly texts: readonly string[]
  readonly topics: readonly string[]
  /** Contents by event id. */
  readonly state: Readonly<Record<string, unknown>>
  readonly found: number
}

async function viewOf(server: TestServer, who: TestLogin, roomId: string): Promise<View> {
  const events: JsonObject[] = []
  for (let from: string | undefined; ;) {
    const query = `dir=b&limit=500${from === undefined ? '' : `&from=${segment(from)}`}`
    const page = await ok(server, who, 'GET', `/rooms/${segment(roomId)}/messages?${query}`)
    events.unshift(...(page['chunk'] as JsonObject[]).toReversed())
    from = page['end'] as string | undefined
    if (from === undefined) break
  }
  const of = (type: string, key: string): string[] =>
    events
      .filter((event) => event['type'] === type)
      .map(({ content }) => (content as Record<string, string>)[key]!)
  const state = (await ok(server, who, 'GET', `/rooms/${segment(roomId)}/state`)) as unknown as JsonObject[]
  const search = {
    search_categories: { room_events: { search_term: 'ancient', filter: { rooms: [roomId] } } },
  }
  const { search_categories: result } = await ok(server, who, 'POST', '/search', search)
  return {
    texts: of('m.room.message', 'body'),
    topics: of('m.room.topic', 'topic'),
    state: Object.fromEntries(state.map(({ event_id: id, content }) => [id as string, content])),
    found: ((result as JsonObject)['room_events'] as { count: number }).count,
  }
}

/** Numbers of the messages of two days ago that are stored. */
async function ancientOf(db: Database): Promise<number[]> {
  const rows = await db.query<{ nid: number; json: string | Uint8Array }>('SELECT nid, json FROM events', [])
  return rows
    .filter(({ json }) => /"ancient \d/.test(Buffer.from(json as string).toString()))
    .map(({ nid }) => nid)
}

async function runWorker(orders: Orders): Promise<void> {
  const child = spawn(process.execPath, [WORKER, JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const said = await text(child.stdout)
  const [, signal] = (await closed) as [unknown, unknown]
  assert.deepEqual([said, signal], orders.kill === undefined ? ['done\n', null] : ['', 'SIGKILL'])
}

for (const driver of await findTestDrivers()) {
  describe(`cutting history off on ${driver.name}`, { skip: driver.skip }, () => {
    it('killed again and again goes on: nothing comes back, nothing is lost that stays, and state is served', async () => {
      await using target = await driver.create()
      const folder = await mkdtemp(path.join(tmpdir(), 'cut-crash-'))
      const place = target.config
      const where = place.kind === 'sqlite' ? { path: place.path } : { path: '', url: place.url }
      const config: Partial<HomeserverConfig> = {
        database: { pool_size: 2, ...where },
        retention: { enabled: true, purge_every: DAY },
      }
      // Jobs wait until they are woken, which nobody does here.
      const open = (): Promise<TestServer> =>
        openTestServer(testConfig(folder, config), { endpoints: clientRoutes }, async () => undefined)
      try {
        let alice: TestLogin
        const rooms: string[] = []
        let before: View[]
        let removed: number[]
        {
          await using server = await open()
          alice = await server.register('alice')
          for (const name of ['Retained', 'Purged']) {
            const made = await ok(server, alice, 'POST', '/createRoom', { name })
            rooms.push(made['room_id'] as string)
            await fillRoom(server, alice, rooms.at(-1)!)
          }
          const [retained, purged] = rooms as [string, string]
          const lifetime = `/rooms/${segment(retained)}/state/m.room.retention/`
          await ok(server, alice, 'PUT', lifetime, { max_lifetime: DAY })
          before = await Promise.all(rooms.map((roomId) => viewOf(server, alice, roomId)))
          const { db, jobs, clock } = server.hs
          removed = await ancientOf(db)
          const input = { ...HISTORY_END, ts: clock.now() - DAY, keepsOwn: false }
          const steps = [jobs.row('apply_retention', 'rooms'), jobs.row('purge_history', purged, input)]
          await db.commit({ entries: [], steps })
        }
        assert.equal(removed.length, 2 * OLD)
        assert.deepEqual(before[0]!.texts, keptTexts)
        assert.deepEqual([before[0]!.found, before[0]!.topics.length], [0, OLD / TOPIC_EVERY])
        let left = before[1]!.texts
        assert.equal(left.length, OLD + KEPT + 1)
        const check = async (server: TestServer): Promise<void> => {
          const [retained, purged] = await Promise.all(rooms.map((roomId) => viewOf(server, alice, roomId)))
          assert.deepEqual(retained, before[0])
          assert.deepEqual([purged!.topics, purged!.state], [before[1]!.topics, before[1]!.state])
          // From the beginning on, and never back.
          assert.deepEqual(purged!.texts, left.slice(left.length - purged!.texts.length))
          left = purged!.texts
        }
        for (const kill of [...KILLS, undefined]) {
          await runWorker({ folder, config, kill })
          await using server = await open()
          await check(server)
        }
        await using server = await open()
        const { db } = server.hs
        assert.deepEqual(left, [...keptTexts.slice(0, 4), 'ancient and late', ...keptTexts.slice(4)])
        const jobs = await listFinishedJobs(db, 10)
        assert.deepEqual(
          new Map(jobs.map(({ kind, error }) => [kind, error])),
          new Map([
            ['apply_retention', ''],
            ['purge_history', ''],
          ]),
        )
        assert.deepEqual(await ancientOf(db), [])
        const some = removed.filter((_nid, n) => n % 50 === 0)
        const subject = { roomNid: 0, roomId: '', userId: '', eventNids: some }
        const goes = (_table: string, column: string, entry: Parameters<typeof cutColumnsOf>[0]): boolean =>
          cutColumnsOf(entry).includes(column)
        assert.deepEqual(await findLeftovers(db, subject, ['event_nid'], goes), {})
        for (const roomId of rooms) {
          const said = { msgtype: 'm.text', body: 'goes on' }
          await ok(server, alice, 'PUT', `/rooms/${segment(roomId)}/send/m.room.message/t`, said)
          assert.equal((await viewOf(server, alice, roomId)).texts.at(-1), 'goes on')
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
  })
}
