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
const children = new Set<ChildProcess>()
after(() => {
  // Those of a test that failed half-way.
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly said: () => string
}

const environment = (name: string): NodeJS.ProcessEnv => ({
  ...process.env,
  CAUSEWAY_DATA_DIR: path.join(folder, name),
  CAUSEWAY_LISTENERS: '[{host: 127.0.0.1, port: 0}]',
  CAUSEWAY_PASSWORD_HASH__MEMORY: '64K',
})

/** Runs another command beside the server of the same name. */
async function causeway(name: string, args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: ROOT,
    env: environment(name),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ])
  return { code, said: out + err }
}

/** Starts the command with what a test must not share: the data folder and the port. */
async function start(name: string, args: readonly string[]): Promise<Running> {
  const env = environment(name)
  const child = spawn(process.execPath, [MAIN, 'serve', ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.on('exit', () => children.delete(child))
  let said = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const listen = (chunk: Buffer): void => {
    said += chunk.toString()
    const url = /listening on +(\S+)\n/.exec(said)?.[1]
    if (url !== undefined) resolve(url)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.on('close', (code) => reject(new Error(`ended with ${code}:\n${said}`)))
  return { child, url: await promise, said: () => said }
}

async function stop({ child }: Running): Promise<number | null> {
  // Not `exit`: what it said last is still on its way to us then.
  const closed = once(child, 'close') as Promise<[number | null]>
  child.kill('SIGTERM')
  const [code] = await closed
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

it('the first administrator is made by the link that the first start prints, and by it only once', async () => {
  const server = await start('fresh', [])
  const link = new URL(/makes the first administrator, once:\n {2}(\S+)/.exec(server.said())?.[1] ?? '')
  const page = new URL(link.pathname + link.search, server.url)
  assert.equal((await fetch(page)).status, 200)
  const form = {
    token: link.searchParams.get('token') ?? '',
    username: 'ann',
    password: 'correct horse battery',
    repeat: 'correct horse battery',
  }
  const made = await fetch(page, { method: 'POST', body: new URLSearchParams(form) })
  assert.equal(made.status, 200, await made.text())
  const { code, said } = await causeway('fresh', ['admin', 'user', 'list'])
  assert.equal(code, 0, said)
  assert.match(said, /@ann:localhost +\S+ +true +active/)
  const again = await fetch(page, { method: 'POST', body: new URLSearchParams({ ...form, username: 'bob' }) })
  assert.equal(again.status >= 400, true)
  assert.equal(await stop(server), 0)
  const second = await start('fresh', [])
  assert.doesNotMatch(second.said(), /first administrator/)
  assert.equal(await stop(second), 0)
})

it('administrative commands reach the running server', async () => {
  const server = await start('admin', [])
  const made = await causeway('admin', ['admin', 'user', 'create', 'bob', '--json'])
  const { user_id: user, password } = JSON.parse(made.said) as { user_id: string; password: string }
  assert.equal(user, '@bob:localhost')
  const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password }
  const post = { method: 'POST', body: JSON.stringify(login) }
  assert.equal((await fetch(`${server.url}/_matrix/client/v3/login`, post)).status, 200)
  const taken = await causeway('admin', ['admin', 'user', 'create', 'bob'])
  assert.deepEqual([taken.code, /M_USER_IN_USE/.test(taken.said)], [1, true])
  await causeway('admin', ['admin', 'user', 'set', 'bob', '--locked'])
  assert.match((await causeway('admin', ['admin', 'user', 'list'])).said, /@bob:localhost .* locked/)
  await causeway('admin', ['admin', 'user', 'deactivate', 'bob'])
  assert.match((await causeway('admin', ['admin', 'user', 'list'])).said, /deactivated/)
  const invitation = await causeway('admin', [
    'admin',
    'invitation',
    'create',
    '--uses',
    '2',
    '--token',
    'club',
  ])
  assert.match(invitation.said, /_causeway\/register\?token=club/)
  assert.match((await causeway('admin', ['admin', 'invitation', 'list'])).said, /club +0\/2/)
  await causeway('admin', ['admin', 'invitation', 'revoke', 'club'])
  assert.doesNotMatch((await causeway('admin', ['admin', 'invitation', 'list'])).said, /club/)
  assert.match((await causeway('admin', ['doctor'])).said, /^ok +Configuration/m)
  assert.equal(await stop(server), 0)
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
