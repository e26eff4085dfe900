import { parseArgs } from 'node:util'
import { clientRoutes } from '@causeway/homeserver/client/routes.ts'
import { findServerDrivers, type TestServer } from '@causeway/homeserver/test-server.ts'
import type { Database, SqlValue, WriteValue } from '@causeway/store/db/database.ts'
import { EVENTS, type EventRow } from '@causeway/store/tables/events.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { createDice, inventMessage, inventQuery } from './corpus.ts'
import { measureSends } from './sends.ts'

// `node scripts/bootstrap.mjs run test/bench/search/main.ts [-- options]`: how fast the index of a large database fills,
// what it needs of the disk, how long a search takes over the whole of the client API, and what indexing adds to sending.
//
//   --databases SQLite,PostgreSQL
//   --messages 200000   in --rooms 200 rooms, all of which alice is in, and bob in a tenth of them
//   --searches 500      by each of them
//   --sends 20000       with the index following, and without it

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: 'SQLite,PostgreSQL' },
    messages: { type: 'string', default: '200000' },
    rooms: { type: 'string', default: '200' },
    searches: { type: 'string', default: '500' },
    sends: { type: 'string', default: '20000' },
  },
})
const [messages, rooms, searches, sends] = [values.messages, values.rooms, values.searches, values.sends].map(
  Number,
) as [number, number, number, number]
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const PORTION = 2_000
const NOBODY = '@nobody:test.example' as UserId

async function bytesOf(db: Database): Promise<number> {
  const sql =
    db.dialect === 'sqlite'
      ? 'SELECT (page_count - freelist_count) * page_size AS n FROM pragma_page_count, pragma_page_size, pragma_freelist_count'
      : 'SELECT pg_database_size(current_database()) AS n'
  return Number((await db.query(sql, []))[0]!['n'])
}

/** Rooms with one message each, of which the others are made. */
async function makeRooms(server: TestServer): Promise<{ tokens: string[]; models: EventRow[] }> {
  const [alice, bob] = [await server.register('alice'), await server.register('bob')]
  const call = async (
    token: string,
    method: string,
    url: string,
    body: object,
  ): Promise<Record<string, SqlValue>> =>
    (
      await server.request(method, `/_matrix/client/v3${url}`, { token, body: body as never })
    ).json() as Record<string, SqlValue>
  const models: EventRow[] = []
  for (let at = 0; at < rooms; at++) {
    const { room_id: roomId } = await call(alice.token, 'POST', '/createRoom', { preset: 'public_chat' })
    const room = encodeURIComponent(String(roomId))
    if (at % 10 === 0) await call(bob.token, 'POST', `/join/${room}`, {})
    const sent = await call(alice.token, 'PUT', `/rooms/${room}/send/m.room.message/m${at}`, {
      msgtype: 'm.text',
      body: '-',
    })
    const rows = await server.hs.db.query<EventRow>('SELECT * FROM events WHERE event_id = ?', [
      sent['event_id']!,
    ])
    models.push(rows[0]!)
  }
  return { tokens: [alice.token, bob.token], models }
}

async function fillRooms(db: Database, models: readonly EventRow[]): Promise<void> {
  const dice = createDice(1)
  const columns = EVENTS.columns.map(({ name }) => name)
  const texts = models.map(({ json }) => Buffer.from(json as Uint8Array).toString('utf8'))
  for (let made = 0; made < messages; made += PORTION) {
    const size = Math.min(PORTION, messages - made)
    const steps = Array.from({ length: size }, (_, index) => {
      const room = Math.floor(dice() ** 2 * models.length)
      const json = texts[room]!.replace('"body":"-"', () => `"body":${JSON.stringify(inventMessage(dice))}`)
      const row: Record<string, WriteValue> = {
        ...models[room]!,
        nid: { position: index },
        event_id: `$${String(made + index).padStart(43, 'x')}`,
        json: Buffer.from(json),
        depth: 1_000 + made + index,
      }
      return { into: EVENTS, values: columns.map((name) => row[name]!) }
    })
    // Entries that concern nobody: the rows take their positions.
    const entries = steps.map(() => ({ kind: 'profile' as const, position: 0, userId: NOBODY }))
    await db.commit({ entries, steps })
  }
}

function percentile(sorted: readonly number[], share: number): string {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1)
}

async function measureSearches(server: TestServer, who: string, token: string): Promise<void> {
  for (const order of ['recent', 'rank']) {
    const dice = createDice(7)
    const times: number[] = []
    const busy: number[] = []
    let found = 0
    for (let at = 0; at < searches; at++) {
      const criteria = {
        search_term: inventQuery(dice),
        order_by: order,
        event_context: { before_limit: 1, after_limit: 1 },
      }
      const [began, cpu] = [performance.now(), process.cpuUsage()]
      const answer = await server.request('POST', '/_matrix/client/v3/search', {
        token,
        body: { search_categories: { room_events: criteria } } as never,
      })
      times.push(performance.now() - began)
      const used = process.cpuUsage(cpu)
      busy.push((used.user + used.system) / 1e3)
      if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.json())}`)
      const { room_events: page } = answer.json()['search_categories'] as {
        room_events: { results: unknown[] }
      }
      if (page.results.length > 0) found++
    }
    times.sort((a, b) => a - b)
    busy.sort((a, b) => a - b)
    print(
      `  ${searches} searches by ${who}, ${order}: p50 ${percentile(times, 0.5)} ms, p95 ${percentile(times, 0.95)} ms, ` +
        `p99 ${percentile(times, 0.99)} ms, longest ${times.at(-1)!.toFixed(1)} ms; CPU of ours p50 ${percentile(busy, 0.5)} ms, p95 ${percentile(busy, 0.95)} ms; ${found} found something`,
    )
  }
}

for (const driver of await findServerDrivers()) {
  if (!values.databases.split(',').includes(driver.name)) continue
  if (driver.skip !== false) {
    print(`${driver.name}: left out: ${driver.skip}`)
    continue
  }
  print(`${driver.name}: ${messages} messages in ${rooms} rooms`)
  const first = await driver.start({ endpoints: clientRoutes })
  const { tokens, models } = await makeRooms(first)
  await first.hs.search.caughtUp()
  await first.hs.search[Symbol.asyncDispose]()
  await fillRooms(first.hs.db, models)
  const before = await bytesOf(first.hs.db)
  const began = performance.now()
  const cpu = process.cpuUsage()
  const server = await first.restart()
  while (server.hs.search.behind() > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  const seconds = (performance.now() - began) / 1000
  const used = process.cpuUsage(cpu)
  const after = await bytesOf(server.hs.db)
  const perTenThousand = (bytes: number): string => (((bytes / messages) * 10_000) / 1e6).toFixed(2)
  print(
    `  index filled in ${seconds.toFixed(1)} s (${Math.round(messages / seconds)} messages a second, ` +
      `${(((used.user + used.system) / 1e3 / messages) * 1000).toFixed(0)} ms of CPU of ours per 1,000); per 10,000 messages ` +
      `${perTenThousand(before)} MB without and ${perTenThousand(after)} MB with it`,
  )
  await measureSearches(server, `alice, in ${rooms} rooms`, tokens[0]!)
  await measureSearches(server, `bob, in ${Math.ceil(rooms / 10)} rooms`, tokens[1]!)
  await server[Symbol.asyncDispose]()
  if (sends > 0) print(`  ${await measureSends(driver, sends)}`)
}
process.exit(0)
