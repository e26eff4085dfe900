import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { EACH, runUntilKilled, type Moment } from '../test-killed-sender.ts'
import { startTestAppservice, testRegistration, type TestAppservice } from './test-appservice.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname

const messagesOf = (irc: TestAppservice): JsonObject[] =>
  irc.events().filter(({ type }) => type === 'm.room.message')

/** Numbers of the messages to a device. */
const notesOf = (irc: TestAppservice): unknown[] =>
  irc
    .transactions()
    .flatMap((body) => (body['de.sorunome.msc2409.to_device'] ?? []) as JsonObject[])
    .map(({ content }) => (content as JsonObject)['number'])

const MOMENTS: readonly Moment[] = [
  { at: 'send', count: 1 },
  { at: 'arrival', count: 1 },
  { at: 'arrival', count: 3 },
  { at: 'answer', count: 1 },
  { at: 'answer', count: 3 },
  { at: 'send', count: 10 },
]
const TOTAL = EACH * (MOMENTS.length + 1)

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: kill -9 of the server loses no event and no message to a device, doubles none, and changes no transaction`,
    { skip },
    async () => {
      await using database = await create()
      await using irc = await startTestAppservice()
      const folder = await mkdtemp(path.join(tmpdir(), 'appservice-crash-'))
      try {
        const file = path.join(folder, 'irc.yaml')
        const wanted = { receive_ephemeral: true, 'org.matrix.msc3202': true }
        await writeFile(file, JSON.stringify(testRegistration('irc', irc.url, wanted)))
        const { config } = database
        const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
        const args = [WORKER, folder, JSON.stringify({ pool_size: 2, ...where }), file]
        const hasAll = (total: number): boolean =>
          messagesOf(irc).length >= total && notesOf(irc).length >= total / 3
        const receiver = { http: irc, hasAll }
        let eventIds: string[] = []
        for (const [index, moment] of [...MOMENTS, undefined].entries()) {
          const total = EACH * (index + 1)
          const child = spawn(process.execPath, [...args, String(total)], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          eventIds = await runUntilKilled(child, receiver, moment, total)
        }
        assert.equal(eventIds.length, TOTAL)
        assert.deepEqual(
          messagesOf(irc).map(({ event_id: id }) => id),
          eventIds,
        )
        assert.deepEqual(
          notesOf(irc),
          Array.from({ length: TOTAL / 3 }, (_, index) => 3 * index),
        )
        const ids = irc.events().map(({ event_id: id }) => id)
        assert.equal(new Set(ids).size, ids.length, 'an event came in two transactions')
        const bodies = new Map<string, string>()
        for (const { url, body } of irc.requests) {
          assert.equal(bodies.get(url) ?? body, body, `${url} came with other contents`)
          bodies.set(url, body)
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
}
