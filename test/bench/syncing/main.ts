import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway, type Causeway } from '@causeway/testkit/causeway.ts'
import { startPostgres } from '@causeway/testkit/postgres.ts'

// `node scripts/bootstrap.mjs run test/bench/syncing/main.ts [options]`: what clients that wait in a sync cost of the
// server's memory. Everybody is in one room with the others and in one of ten smaller ones, has synced once, and waits.
//
//   --databases SQLite,PostgreSQL
//   --clients 1000
//   --kinds v3,sliding

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: 'SQLite,PostgreSQL' },
    clients: { type: 'string', default: '1000' },
    kinds: { type: 'string', default: 'v3,sliding' },
  },
})
const clients = Number(values.clients)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const memoryFile = path.join(tmpdir(), `causeway-memory-${process.pid}.json`)
process.env['BENCH_MEMORY_FILE'] = memoryFile
process.env['NODE_OPTIONS'] = `--import=${path.join(import.meta.dirname, 'tell-memory.ts')}`

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

/** What is left after its garbage is collected: bytes. */
async function memoryOf(server: Causeway): Promise<Memory> {
  rmSync(memoryFile, { force: true })
  process.kill(server.pid(), 'SIGUSR2')
  for (;;) {
    const text = await readFile(memoryFile, 'utf8').catch(() => '')
    if (text.endsWith('}')) return JSON.parse(text) as Memory
    await sleep(20)
  }
}

interface Client {
  readonly token: string
  readonly agent: Agent
}

function call(
  server: Causeway,
  client: Pick<Client, 'token'> & { agent?: Agent },
  method: string,
  url: string,
  body?: JsonObject,
): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' }
    const options = { method, headers, ...(client.agent === undefined ? {} : { agent: client.agent }) }
    const sent = request(`${server.url}/_matrix/client${url}`, options, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(text) as JsonObject)
        else reject(new Error(`${url}: ${answer.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Some at a time. */
async function forAll<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const left = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of left) await work(item, index)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

/** Registers everybody, and gives them rooms. */
async function fill(server: Causeway): Promise<string[]> {
  const tokens: string[] = []
  await forAll(Array.from({ length: clients }), async (_, index) => {
    const account = {
      username: `user${index}`,
      password: 'a password that is long',
      auth: { type: 'm.login.dummy' },
    }
    tokens[index] = (await call(server, { token: '' }, 'POST', '/v3/register', account))[
      'access_token'
    ] as string
  })
  const create = async (): Promise<string> =>
    (await call(server, { token: tokens[0]! }, 'POST', '/v3/createRoom', { preset: 'public_chat' }))[
      'room_id'
    ] as string
  const all = await create()
  const smaller = await Promise.all(Array.from({ length: 10 }, create))
  await forAll(tokens, async (token, index) => {
    for (const room of [all, smaller[index % smaller.length]!])
      await call(server, { token }, 'POST', `/v3/join/${encodeURIComponent(room)}`, {})
  })
  return tokens
}

const SLIDING = {
  conn_id: 'main',
  lists: {
    all: {
      ranges: [[0, 19]],
      timeline_limit: 1,
      required_state: [
        ['m.room.name', ''],
        ['m.room.member', '$LAZY'],
      ],
    },
  },
  extensions: {
    account_data: { enabled: true },
    receipts: { enabled: true },
    typing: { enabled: true },
    e2ee: { enabled: true },
    to_device: { enabled: true },
  },
}

const LAZY = encodeURIComponent(
  JSON.stringify({ room: { state: { lazy_load_members: true }, timeline: { limit: 20 } } }),
)

const syncs: Record<
  string,
  (server: Causeway, client: Client, since: string | undefined) => Promise<JsonObject>
> = {
  v3: (server, client, since) => {
    const from = since === undefined ? '' : `&since=${encodeURIComponent(since)}`
    return call(
      server,
      client,
      'GET',
      `/v3/sync?set_presence=offline&filter=${LAZY}&timeout=${since === undefined ? 0 : 600_000}${from}`,
    )
  },
  sliding: (server, client, since) => {
    const from = since === undefined ? 'timeout=0' : `timeout=600000&pos=${encodeURIComponent(since)}`
    return call(server, client, 'POST', `/unstable/org.matrix.simplified_msc3575/sync?${from}`, SLIDING)
  },
}

const tokenIn = (answer: JsonObject): string => (answer['next_batch'] ?? answer['pos']) as string

async function measure(server: Causeway, tokens: readonly string[], kind: string): Promise<void> {
  await server.restart()
  const sync = syncs[kind]!
  const everybody = tokens.map((token): Client => ({
    token,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
  }))
  // What the first of them brings into memory serves all.
  for (const client of everybody.slice(0, 10)) await sync(server, client, undefined)
  const before = await memoryOf(server)
  let waiting = 0
  let stopping = false
  const waits: Promise<unknown>[] = []
  await forAll(everybody, async (client) => {
    let since = tokenIn(await sync(server, client, undefined))
    const wait = async (): Promise<void> => {
      for (;;) {
        waiting++
        since = tokenIn(await sync(server, client, since).finally(() => waiting--))
      }
    }
    waits.push(
      wait().catch((error: unknown) => {
        if (!stopping) throw error
      }),
    )
  })
  await sleep(5_000)
  const after = await memoryOf(server)
  const perClient = (key: keyof Memory): string => ((after[key] - before[key]) / clients / 1024).toFixed(1)
  print(
    `  ${kind}: ${waiting} wait; each costs ${perClient('rss')} KB of the process, ${perClient('heapUsed')} of the heap, ` +
      `${perClient('external')} outside of it (process before: ${(before.rss / 2 ** 20).toFixed(0)} MB)`,
  )
  stopping = true
  for (const { agent } of everybody) agent.destroy()
  await Promise.all(waits)
}

for (const database of values.databases.split(',')) {
  print(`${database}, ${clients} clients`)
  await using stack = new AsyncDisposableStack()
  const postgres = database === 'SQLite' ? undefined : await startPostgres()
  if (postgres !== undefined && 'skip' in postgres) {
    print(`  ${postgres.skip}`)
    continue
  }
  if (postgres !== undefined) stack.defer(() => postgres.stop())
  const place = postgres === undefined ? {} : { databaseUrl: await postgres.createDatabase() }
  const server = stack.use(await startCauseway(place))
  const tokens = await fill(server)
  for (const kind of values.kinds.split(',')) await measure(server, tokens, kind)
}
rmSync(memoryFile, { force: true })
