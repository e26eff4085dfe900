import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { Registry } from 'prom-client'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { Homeserver } from '../homeserver.ts'
import { silentLogger } from '../ops/log.ts'
import { registerValue } from '../ops/metrics.ts'
import { startAdminListener } from './listener.ts'

let folder = ''
before(() => (folder = mkdtempSync(join(tmpdir(), 'adm-'))))
after(() => rmSync(folder, { recursive: true }))

const registry = new Registry()
registerValue(registry, { name: 'test_value', kind: 'gauge', help: 'x' }, () => 42)

function homeserver(admin: Record<string, unknown>): Homeserver {
  const config = { admin: { socket: join(folder, 'a.sock'), host: '127.0.0.1', ...admin } }
  return {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    serverName: 'x',
    config,
  } as unknown as Homeserver
}

function call(
  path: string,
  options: object = {},
  body?: string,
): Promise<{ status: number; body: string; cors: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: join(folder, 'a.sock'), path, ...options }, (incoming) => {
      const { statusCode = 0, headers } = incoming
      text(incoming).then(
        (got) => resolve({ status: statusCode, body: got, cors: headers['access-control-allow-origin'] }),
        reject,
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

it('serves metrics, health and commands on a socket that only its owner may open', async () => {
  const state: { obstacle?: string } = {}
  await using _ = await startAdminListener({
    hs: homeserver({}),
    loadRegistry: async () => registry,
    findObstacle: async () => state.obstacle,
  })
  assert.equal(statSync(join(folder, 'a.sock')).mode & 0o777, 0o600)
  const metrics = await call('/metrics')
  assert.match(metrics.body, /test_value 42/)
  assert.equal(metrics.cors, undefined)
  assert.equal((await call('/health/live')).status, 200)
  assert.equal((await call('/health')).status, 200)
  state.obstacle = 'the database does not answer'
  assert.deepEqual([(await call('/health/ready')).status, (await call('/health/live')).status], [503, 200])
  assert.match((await call('/health')).body, /database does not answer/)
  const unknown = await call('/commands/no-such', { method: 'POST' }, '{}')
  assert.match(unknown.body, /M_NOT_FOUND.*no-such/)
})

it('takes commands over TCP only with the token', async () => {
  const port = await freePort()
  const hs = homeserver({ port, token: 'correct horse' })
  await using _ = await startAdminListener({
    hs,
    loadRegistry: async () => registry,
    findObstacle: async () => undefined,
  })
  const over = { socketPath: undefined, host: '127.0.0.1', port, method: 'POST' }
  assert.equal((await call('/commands/x', over, '{}')).status, 401)
  assert.equal(
    (await call('/commands/x', { ...over, headers: { authorization: 'Bearer wrong' } }, '{}')).status,
    401,
  )
  const right = { ...over, headers: { authorization: 'Bearer correct horse' } }
  assert.equal((await call('/commands/x', right, '{}')).status, 404)
  assert.equal((await call('/metrics', { ...over, method: 'GET' })).status, 200)
})

it('without a token there are no commands over TCP', async () => {
  const port = await freePort()
  await using _ = await startAdminListener({
    hs: homeserver({ port }),
    loadRegistry: async () => registry,
    findObstacle: async () => undefined,
  })
  const got = await call(
    '/commands/x',
    { socketPath: undefined, host: '127.0.0.1', port, method: 'POST' },
    '{}',
  )
  assert.match(got.body, /M_UNRECOGNIZED/)
})

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
