import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { startTestAppservice, type TestAppservice } from '../../appservice/test-appservice.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
const SERVERS = ['b.example', 'c.example']
/** Messages that each round adds. */
const EACH = 12

/** What each round is killed at: a transaction that arrived and is not answered, one just answered, a message sent. */
type Moment = { readonly at: 'arrival' | 'answer' | 'send'; readonly count: number }
const MOMENTS: readonly Moment[] = [
  { at: 'send', count: 1 },
  { at: 'arrival', count: 1 },
  { at: 'arrival', count: 4 },
  { at: 'answer', count: 1 },
  { at: 'answer', count: 3 },
  { at: 'send', count: 7 },
]
const TOTAL = EACH * (MOMENTS.length + 1)

interface Transaction {
  readonly pdus: readonly JsonObject[]
  readonly edus: readonly JsonObject[]
}

/** The other servers: what each has answered, every transaction once. */
class Peers {
  readonly accepted = new Map<string, Transaction>()
  readonly bodies = new Map<string, string>()

  take(url: string, body: string): void {
    assert.equal(this.bodies.get(url) ?? body, body, `${url} came with other contents`)
    this.bodies.set(url, body)
  }

  accept(url: string): void {
    if (!this.accepted.has(url)) this.accepted.set(url, JSON.parse(this.bodies.get(url)!) as Transaction)
  }

  of(server: string): Transaction[] {
    return [...this.accepted].filter(([url]) => url.startsWith(`/${server}/`)).map(([, one]) => one)
  }

  texts(server: string): unknown[] {
    return this.of(server).flatMap(({ pdus }) => pdus.map(({ content }) => (content as JsonObject)['body']))
  }

  messages(server: string): JsonObject[] {
    return this.of(server).flatMap(({ edus }) => edus.map(({ content }) => content as JsonObject))
  }

  hasAll(total: number): boolean {
    return SERVERS.every(
      (server) => this.texts(server).length >= total && this.messages(server).length >= total,
    )
  }
}

/** Runs the server until the moment, or until everybody has everything; returns the ids of what was sent. */
async function runUntil(
  child: ChildProcess,
  http: TestAppservice,
  peers: Peers,
  moment: Moment | undefined,
  total: number,
): Promise<string[]> {
  // What earlier rounds sent is asked for again, and gives no new events.
  let seen = moment?.at === 'send' ? EACH - total : 0
  const reach = (at: Moment['at']): boolean => {
    if (moment?.at === at && ++seen === moment.count) child.kill('SIGKILL')
    return seen === moment?.count
  }
  http.answer = ({ url, body }) => {
    peers.take(url, body)
    if (reach('arrival')) return 'hang up'
    peers.accept(url)
    if (moment?.at === 'answer') setImmediate(() => reach('answer'))
    return { status: 200, body: '{"pdus":{}}' }
  }
  let text = ''
  child.stdout!.setEncoding('utf8')
  child.stdout!.on('data', (chunk: string) => {
    text += chunk
    for (const char of chunk) if (char === '\n') reach('send')
  })
  const closed = once(child, 'close')
  const hasAll = http.until(() => peers.hasAll(total)).then(() => 'all')
  const first = await Promise.race([hasAll, closed.then(([, signal]) => signal as string | null)])
  if (first === 'all') {
    // What would come twice would come now. The moment may have come with the last answer: then it is killed already.
    let running = true
    void closed.then(() => (running = false))
    while (text.split('\n').length <= total && running)
      await Promise.race([once(child.stdout!, 'data'), closed])
    child.kill('SIGKILL')
  }
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  return text.split('\n').slice(0, -1)
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: kill -9 loses nothing for other servers, doubles nothing, and changes no transaction`,
    { skip },
    async () => {
      await using database = await create()
      await using http = await startTestAppservice()
      const folder = await mkdtemp(path.join(tmpdir(), 'outbound-crash-'))
      try {
        const { config } = database
        const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
        const args = [WORKER, folder, JSON.stringify({ pool_size: 2, ...where }), http.url]
        const peers = new Peers()
        let eventIds: string[] = []
        for (const [index, moment] of [...MOMENTS, undefined].entries()) {
          const total = EACH * (index + 1)
          const child = spawn(process.execPath, [...args, String(total)], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          eventIds = await runUntil(child, http, peers, moment, total)
        }
        assert.equal(eventIds.length, TOTAL)
        const numbers = [...Array(TOTAL).keys()]
        for (const server of SERVERS) {
          assert.deepEqual(
            peers.texts(server),
            numbers.map((n) => `m${n}`),
          )
          const messages = peers.messages(server)
          const user = `@${server[0]}:${server}`
          assert.deepEqual(
            messages.map(({ messages: all }) => (all as Record<string, { D: { n: number } }>)[user]!.D.n),
            numbers,
          )
          assert.equal(new Set(messages.map(({ message_id: id }) => id)).size, TOTAL)
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
}
