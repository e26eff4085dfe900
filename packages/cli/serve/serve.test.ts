import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, it } from 'node:test'

const ROOT = path.join(import.meta.dirname, '../../..')
const MAIN = path.join(ROOT, 'packages/cli/main.ts')
let folder = ''
before(() => (folder = mkdtempSync(path.join(tmpdir(), 'serve-'))))
after(() => rmSync(folder, { recursive: true, force: true }))

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly said: () => string
}

/** Starts the command with what a test must not share: the data folder and the port. */
async function start(name: string, args: readonly string[]): Promise<Running> {
  const env = {
    ...process.env,
    CAUSEWAY_DATA_DIR: path.join(folder, name),
    CAUSEWAY_LISTENERS: '[{host: 127.0.0.1, port: 0}]',
  }
  const child = spawn(process.execPath, [MAIN, 'serve', ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const listen = (chunk: Buffer): void => {
    said += chunk.toString()
    const url = /listening on +(\S+)/.exec(said)?.[1]
    if (url !== undefined) resolve(url)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.on('exit', (code) => reject(new Error(`ended with ${code}:\n${said}`)))
  return { child, url: await promise, said: () => said }
}

async function stop({ child }: Running): Promise<number | null> {
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

function ask(socketPath: string, route: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: route }, (answer) => void text(answer).then(resolve, reject))
      .on('error', reject)
      .end()
  })
}

it('the example configuration boots, answers clients and operators, and stops in order', async () => {
  const server = await start('example', ['--config', 'examples/causeway.yaml'])
  const versions = await fetch(`${server.url}/_matrix/client/versions`)
  assert.equal(versions.status, 200)
  const socket = path.join(folder, 'example', 'admin.sock')
  assert.match(await ask(socket, '/health/ready'), /"ready":true/)
  assert.match(
    await ask(socket, '/metrics'),
    /causeway_http_answers_total\{operation="getVersions",status="2xx"\} 1/,
  )
  assert.equal(await stop(server), 0)
  assert.match(server.said(), /"message":"stopped"/)
  assert.equal(existsSync(socket), false)
})

it('starts again on the data it left, without a configuration file', async () => {
  for (const _ of [1, 2]) {
    const server = await start('default', [])
    assert.match(server.said(), /server name +localhost/)
    assert.equal(await stop(server), 0)
  }
})

it('says which option keeps it from starting', async () => {
  const env = { ...process.env, CAUSEWAY_DATA_DIR: folder, CAUSEWAY_LOG__LEVEL: 'loud' }
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>])
  assert.equal(code, 2)
  assert.match(said, /CAUSEWAY_LOG__LEVEL: log\.level must be one of debug, info, warn, error/)
})
