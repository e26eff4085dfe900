import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

// `npm run test:fresh`: what a newcomer does, on this machine: the files of the checkout in a new folder, an empty home, and
// nothing on the PATH but Node 20, npm and sh. `npm start` has to install what is missing, to serve, and to print the
// one-time link; `npm test` has to install what tests need besides, from npm and (with python3 on the PATH) from PyPI.

const ROOT = path.join(import.meta.dirname, '..')
const OLD_NODE = 20
/** A slow machine compiles and downloads for long. */
const PATIENCE_MS = 1_800_000

const folder = mkdtempSync(path.join(tmpdir(), 'causeway-fresh-'))
const [clone, home, bin] = ['clone', 'home', 'bin'].map((name) => path.join(folder, name)) as [
  string,
  string,
  string,
]

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
  console.log(`✔ ${what}`)
}

/** A program of this machine, not of a checkout. */
function findProgram(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  const found = folders
    .filter((one) => !one.includes('node_modules'))
    .map((one) => path.join(one, name))
    .find((file) => existsSync(file))
  if (found === undefined) throw new Error(`there is no ${name} on the PATH`)
  return found
}

/** Node 20: the machine's, or from the registry. */
function findOldNode(): string {
  const own = findProgram('node')
  if (execFileSync(own, ['--version'], { encoding: 'utf8' }).startsWith(`v${OLD_NODE}.`)) return own
  const name = `node-${process.platform}-${process.arch}`
  const options = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--loglevel=error']
  execFileSync(findProgram('npm'), [...options, `${name}@${OLD_NODE}`], { stdio: 'inherit' })
  return path.join(folder, 'node_modules', name, 'bin/node')
}

function copyCheckout(): void {
  const options = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', options, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  for (const file of files.split('\0').filter((name) => name !== '' && existsSync(path.join(ROOT, name)))) {
    mkdirSync(path.dirname(path.join(clone, file)), { recursive: true })
    cpSync(path.join(ROOT, file), path.join(clone, file))
  }
}

/** The PATH of a bare machine, and npm as Node 20 runs it. */
function makeBin(): void {
  mkdirSync(bin)
  mkdirSync(home)
  symlinkSync(findOldNode(), path.join(bin, 'node'))
  symlinkSync(findProgram('sh'), path.join(bin, 'sh'))
  const modules = execFileSync(findProgram('npm'), ['root', '--global'], { encoding: 'utf8' }).trim()
  const npm = path.join(bin, 'npm')
  writeFileSync(npm, `#!${path.join(bin, 'sh')}\nexec "${bin}/node" "${modules}/npm/bin/npm-cli.js" "$@"\n`)
  chmodSync(npm, 0o755)
}

/** Nothing of the caller's but where packages come from. */
function environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const registry = execFileSync(findProgram('npm'), ['config', 'get', 'registry'], {
    encoding: 'utf8',
  }).trim()
  const passed = Object.entries(process.env).filter(([name]) =>
    /^(PIP_|(HTTPS?|NO)_PROXY$|NODE_EXTRA_CA)/i.test(name),
  )
  return { ...Object.fromEntries(passed), PATH: bin, HOME: home, npm_config_registry: registry, ...more }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port)
  const [free] = await Promise.race([
    once(server, 'listening').then(() => [true]),
    once(server, 'error').then(() => [false]),
  ])
  server.close()
  return free === true
}

async function start(): Promise<void> {
  const onDefault = await isFree(8008)
  if (!onDefault) console.log('(port 8008 is taken here: the server gets another)')
  const port: Record<string, string> = onDefault ? {} : { CAUSEWAY_LISTENERS: '[{host: 127.0.0.1, port: 0}]' }
  const startedAt = performance.now()
  const child = spawn(path.join(bin, 'npm'), ['start'], {
    cwd: clone,
    env: environment(port),
    detached: true,
  })
  let said = ''
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  const listen = (chunk: Buffer): void => {
    said += chunk.toString()
    if (/listening on +\S/.test(said) && /first administrator, once:\n +\S+/.test(said)) resolve()
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.on('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${said}`)))
  const timer = setTimeout(() => reject(new Error(`npm start did not get ready:\n${said}`)), PATIENCE_MS)
  try {
    await ready
    clearTimeout(timer)
    check(said.includes('installing what is missing'), 'npm start installs what is missing')
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    const url = /listening on +(http:[^\s,]+)/.exec(said)?.[1] ?? ''
    check(!onDefault || new URL(url).port === '8008', `it serves on ${url}, ${seconds} s after the start`)
    const versions = await fetch(`${url}/_matrix/client/versions`)
    check(versions.status === 200, 'clients are answered')
    const link = new URL(/first administrator, once:\n +(\S+)/.exec(said)![1]!)
    const page = await fetch(new URL(link.pathname + link.search, url))
    check(
      page.status === 200 && /<form/.test(await page.text()),
      'the printed link shows the form of the first administrator',
    )
    for (const file of ['causeway.db', 'signing.key'])
      check(existsSync(path.join(clone, 'data', file)), `./data/${file} is made`)
    child.removeAllListeners('exit')
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const [code] = (await exited) as [number | null]
    const answers = await fetch(url).then(
      () => true,
      () => false,
    )
    check(code === 0 && !answers, 'SIGTERM to npm ends the server, in order')
  } finally {
    clearTimeout(timer)
    // Its whole group, should anything of it be left.
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Nothing was.
    }
  }
}

function test(file: string, what: string): void {
  const args = ['test', '--silent', '--', file]
  const { status, stdout } = spawnSync(path.join(bin, 'npm'), args, {
    cwd: clone,
    env: environment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: PATIENCE_MS,
  })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  check(status === 0 && /^[1-9]\d* passed, 0 failed, 0 skipped$/.test(last), `${what}: ${last}`)
}

try {
  makeBin()
  copyCheckout()
  await start()
  check(
    !existsSync(path.join(clone, 'node_modules/typescript')),
    'nothing that only tests need was installed',
  )
  test('packages/matrix/json/canonical.test.ts', 'npm test installs the rest from npm')
  const python = execFileSync(findProgram('python3'), ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  })
  symlinkSync(python.trim(), path.join(bin, 'python3'))
  test('test/journeys/nio.test.ts', 'npm test installs from PyPI what a test talks to')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
