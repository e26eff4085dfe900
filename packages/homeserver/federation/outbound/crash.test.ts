import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { startTestAppservice } from '../../appservice/test-appservice.ts'
import { EACH, runUntilKilled, type Moment, type Receiver } from '../../test-killed-sender.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
const SERVERS = ['b.example', 'c.example']

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
        const receiver: Receiver = {
          http,
          body: '{"pdus":{}}',
          onArrival: ({ url, body }) => peers.take(url, body),
          onAnswer: ({ url }) => peers.accept(url),
          hasAll: (total) => peers.hasAll(total),
        }
        let eventIds: string[] = []
        for (const [index, moment] of [...MOMENTS, undefined].entries()) {
          const total = EACH * (index + 1)
          const child = spawn(process.execPath, [...args, String(total)], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          eventIds = await runUntilKilled(child, receiver, moment, total)
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
