import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { killAt, type Moment } from '../test-killed-sender.ts'
import { gatewayConfig, startTestGateway, TAKEN, type TestGateway } from './test-gateway.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
/** Messages that each round adds. */
const EACH = 6

const MOMENTS: readonly Moment[] = [
  { at: 'arrival', count: 1 },
  { at: 'answer', count: 2 },
  { at: 'send', count: 4 },
]

/** Runs the server until the moment, or until everything was told; answers the ids of what was sent. */
async function runUntil(
  child: ChildProcess,
  gateway: TestGateway,
  moment: Moment | undefined,
  total: number,
): Promise<string[]> {
  // What earlier rounds sent is asked for again, and gives no new events.
  const reach = killAt(child, moment, moment?.at === 'send' ? total - EACH : 0)
  gateway.answer = () => {
    if (reach('arrival')) return 'hang up'
    if (moment?.at === 'answer') setImmediate(() => reach('answer'))
    return TAKEN
  }
  let text = ''
  const idsOf = (): string[] => text.split('\n').slice(0, -1)
  const told = (): Set<unknown> => new Set(gateway.taken.map(({ notification: one }) => one['event_id']))
  const everything = Promise.withResolvers<void>()
  const look = (): void => {
    const ids = idsOf()
    if (ids.length === total && ids.every((id) => told().has(id))) everything.resolve()
  }
  child.stdout!.setEncoding('utf8')
  child.stdout!.on('data', (chunk: string) => {
    text += chunk
    for (const char of chunk) if (char === '\n') reach('send')
    look()
  })
  gateway.onTaken = look
  const closed = once(child, 'close')
  await Promise.race([everything.promise, closed])
  child.kill('SIGKILL')
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  return idsOf()
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: kill -9 loses no notification, and repeats none but the one under way`,
    { skip },
    async () => {
      const authority = makeAuthority()
      await using database = await create()
      await using gateway = await startTestGateway(authority)
      await using network = await gatewayConfig(authority)
      const folder = await mkdtemp(path.join(tmpdir(), 'push-crash-'))
      try {
        const { config } = database
        const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
        const more = JSON.stringify({ ...network.config, database: { pool_size: 2, ...where } })
        let ids: string[] = []
        const lastOfRound = new Set<unknown>()
        for (const [index, moment] of [...MOMENTS, undefined].entries()) {
          const total = EACH * (index + 1)
          const child = spawn(process.execPath, [WORKER, folder, more, gateway.url, String(total)], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          ids = await runUntil(child, gateway, moment, total)
          lastOfRound.add(gateway.taken.at(-1)?.notification['event_id'])
        }
        const told = gateway.taken.map(({ notification: one }) => one['event_id'])
        const repeated = told.filter((id, at) => told.indexOf(id) !== at)
        assert.deepEqual([...new Set(told)], ids)
        for (const id of repeated) assert.ok(lastOfRound.has(id), `${JSON.stringify(id)} came again`)
        assert.ok(repeated.length <= MOMENTS.length)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
}
