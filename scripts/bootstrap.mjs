// The way in: runs on any Node from 20 on, installs what is missing, and hands over to Node 26, which runs the
// TypeScript of this repository as it stands. Plain JavaScript without dependencies, since nothing is there yet.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const NEEDED_MAJOR = 26
const USAGE = 'node scripts/bootstrap.mjs start [options] | test [files] | check | run <script> [arguments]'

const say = (text) => console.error(`causeway: ${text}`)

function stop(text) {
  say(text)
  process.exit(1)
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8'))
  } catch {
    return undefined
  }
}

const majorOf = (version) => Number(version.replace(/^v/, '').split('.')[0])

/** The Node that npm installed for this platform; undefined where there is none. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`
  const binary = join(ROOT, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return existsSync(binary) ? binary : undefined
}

function checkPlatform() {
  if (majorOf(process.version) < 20)
    stop(`Node ${process.version} is too old to begin with; install Node 20 or newer`)
  if (majorOf(process.version) >= NEEDED_MAJOR) return
  const known = Object.keys(readJson('package.json')?.optionalDependencies ?? {})
  const wanted = `node-${process.platform}-${process.arch}`
  if (!known.includes(wanted)) {
    stop(
      `Node ${NEEDED_MAJOR} is needed, and npm has none prepared for ${process.platform} ${process.arch}: install it yourself`,
    )
  }
}

/** Names of packages that the lock file wants and node_modules has not, or in another version. */
function findMissing(withDev) {
  const wanted = readJson('package-lock.json')?.packages ?? stop('package-lock.json is missing')
  const present = readJson('node_modules/.package-lock.json')?.packages ?? {}
  return Object.entries(wanted)
    .filter(([path, one]) => path.startsWith('node_modules/') && !one.link && (withDev || !one.dev))
    .filter(([path, one]) => {
      const own = present[path]
      // Packages of other platforms are optional and stay away; one that is there must be the right one.
      return own === undefined ? !one.optional && !one.devOptional : own.version !== one.version
    })
    .map(([path]) => path.slice('node_modules/'.length))
}

function install(withDev) {
  const missing = findMissing(withDev)
  if (missing.length === 0 && (majorOf(process.version) >= NEEDED_MAJOR || bundledNode() !== undefined))
    return
  const shown =
    missing.length > 3 ? `${missing.length} packages` : missing.join(', ') || `Node ${NEEDED_MAJOR}`
  say(`installing what is missing (${shown}) …`)
  const startedAt = Date.now()
  const npm = process.env.npm_execpath
  const [command, prefix] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  // Exactly what the lock file says, which is left alone. Not `npm ci`: that refuses a lock file without the optional
  // packages of other platforms, and not every registry serves those. No package gets to run an install script.
  const options = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  if (!withDev) options.push('--omit=dev')
  const { status, error } = spawnSync(command, [...prefix, ...options], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  })
  if (error !== undefined) stop(`npm could not be started: ${error.message}`)
  if (status !== 0) stop('npm could not install the dependencies; its own message stands above')
  say(`installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`)
}

function pickNode() {
  if (majorOf(process.version) >= NEEDED_MAJOR) return process.execPath
  const bundled = bundledNode()
  if (bundled !== undefined) return bundled
  return stop(`Node ${NEEDED_MAJOR} is not there although npm ran: install Node ${NEEDED_MAJOR} yourself`)
}

/**
 * Runs a program in our place: its output is ours, signals reach it, its exit code is ours. A Node that can (22.15,
 * 23.11) becomes that program, which saves the 45 MB of a process that only waits.
 */
function handOver(command, args) {
  if (process.execve !== undefined && process.platform !== 'win32')
    process.execve(command, [command, ...args], process.env)
  const child = spawn(command, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => stop(`${command} could not be started: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each)
    process.kill(process.pid, signal)
  })
}

const [mode = '', ...rest] = process.argv.slice(2)
const MAIN = 'packages/cli/main.ts'
const scripts = {
  start: [MAIN, 'serve'],
  causeway: [MAIN],
  test: ['scripts/check.ts'],
  check: ['scripts/check.ts', '--gates'],
  run: [],
}
if (!Object.hasOwn(scripts, mode) || (mode === 'run' && rest.length === 0)) stop(`usage: ${USAGE}`)
checkPlatform()
install(mode !== 'start' && mode !== 'causeway')
const node = pickNode()
const [script, ...before] = scripts[mode]
const flags = ['--disable-warning=ExperimentalWarning']

/** What to run for a script of ours: the program itself as a bundle, which starts faster and is smaller. */
async function fileOf(path) {
  if (path !== MAIN) return join(ROOT, path)
  try {
    const { ensureBundle } = await import('./bundle.mjs')
    return await ensureBundle(say)
  } catch (error) {
    say(`no bundle could be made, so the source runs as it stands: ${error.message}`)
    return join(ROOT, path)
  }
}

handOver(
  node,
  script === undefined ? [...flags, ...rest] : [...flags, await fileOf(script), ...before, ...rest],
)
