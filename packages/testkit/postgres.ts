import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import postgres from 'postgres'
import { isExecutable, pathFolders } from './executable.ts'
import { freePort } from './free-port.ts'
import { PREPARED, postgresTemplate } from './postgres-template.ts'

/** A private PostgreSQL server on loopback, with fsync as in production. */
export interface PostgresServer {
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>
  /** Creates a database that has every table already, as if a server had once been started there. */
  createPreparedDatabase(): Promise<string>
  /** Of the postmaster. */
  readonly pid: number
  readonly dataFolder: string
  stop(): Promise<void>
}

/** Why there is no server: to be printed with the skipped tests. */
export interface PostgresAbsent {
  readonly skip: string
}

/** As whom the server runs; empty: as we do. */
interface ServerUser {
  readonly uid?: number
  readonly gid?: number
}

const OURSELVES: ServerUser = {}

let shared: Promise<PostgresServer | PostgresAbsent> | undefined

/** The server of this process, started on first use and stopped after its tests. */
export function sharedPostgres(): Promise<PostgresServer | PostgresAbsent> {
  shared ??= startPostgres().then((server) => {
    if (!('skip' in server)) atEnd(() => server.stop())
    return server
  })
  return shared
}

/** A benchmark runs without the test runner, whose hooks watch every promise and cost as much as what is measured. */
function atEnd(stop: () => Promise<void>): void {
  if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(stop)
  else process.once('beforeExit', () => void stop())
}

/** Starts a server in a temporary folder, or says why that cannot be done here. */
export async function startPostgres(): Promise<PostgresServer | PostgresAbsent> {
  if (process.env['TEST_POSTGRES'] === 'off') return { skip: 'PostgreSQL was left out by TEST_POSTGRES=off' }
  const binaries = findBinaries()
  if (binaries === undefined) return { skip: 'PostgreSQL (initdb, postgres) is not installed' }
  const user = process.getuid?.() === 0 ? findUser() : OURSELVES
  if (user === undefined)
    return { skip: 'PostgreSQL does not run as root, and there is no user "postgres" or "nobody"' }
  const folder = mkdtempSync(join(tmpdir(), 'causeway-postgres-'))
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const program = join(binaries, 'postgres')
  const template = await postgresTemplate(program, user.uid, async (place, fill) => {
    await makeTemplate(binaries, user, folder, fill)
    execFileSync('cp', ['-a', join(folder, 'data'), place])
  })
  const data = join(folder, 'data')
  rmSync(data, { recursive: true, force: true })
  execFileSync('cp', ['-a', template, data])
  const { child, port } = await startIn(program, folder, user)
  return serverOf(child, port, folder, data)
}

/** A data folder with one database, `PREPARED`, that `fill` has filled; nobody uses it any more. */
async function makeTemplate(
  binaries: string,
  user: ServerUser,
  folder: string,
  fill: (base: string) => Promise<void>,
): Promise<void> {
  const data = ['-D', join(folder, 'data')]
  const access = ['-U', 'causeway', '-A', 'trust', '-E', 'UTF8', '--locale=C']
  execFileSync(join(binaries, 'initdb'), [...data, ...access, '--no-instructions', '--no-sync'], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const { child, port } = await startIn(join(binaries, 'postgres'), folder, user)
  const base = baseOf(port)
  await createIn(base, PREPARED)
  await fill(base)
  await endServer(child)
}

/** Starts a server on the folder `data` of a folder. */
async function startIn(
  program: string,
  folder: string,
  user: ServerUser,
): Promise<{ child: ChildProcess; port: number }> {
  const data = join(folder, 'data')
  for (let attempt = 0; ; attempt++) {
    const port = await freePort()
    const child = startServer(program, data, folder, port, user)
    if (await isReady(child, port, data)) return { child, port }
    await endServer(child)
    // Somebody else may have taken the port between our looking and the server's binding.
    if (attempt === 4) throw new Error('PostgreSQL did not start')
  }
}

const baseOf = (port: number): string => `postgres://causeway@127.0.0.1:${port}`

async function createIn(base: string, name: string, template?: string): Promise<void> {
  const admin = postgres(`${base}/postgres`, { max: 1, fetch_types: false })
  await admin.unsafe(`CREATE DATABASE ${name}${template === undefined ? '' : ` TEMPLATE ${template}`}`)
  await admin.end()
}

function startServer(
  binary: string,
  data: string,
  folder: string,
  port: number,
  user: ServerUser,
): ChildProcess {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${folder}`,
    'fsync=on',
  ]
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  // The shell holds our pipe: should this process be killed, the server ends as well.
  const script = '"$@" </dev/null & server=$!; read -r _; kill -INT $server; wait $server'
  return spawn('/bin/sh', ['-c', script, 'sh', binary, ...args], {
    ...user,
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
}

/** How long a start may take: an idle machine needs a second. */
const START_MS = 120_000

/** Ends a server that was not ready, so that the next one finds the data folder free. */
async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.stdin?.end()
  await ended
}

/** Whether the server, and not somebody else's that took the port first, answers there. */
async function isReady(child: ChildProcess, port: number, data: string): Promise<boolean> {
  const end = Date.now() + START_MS
  while (Date.now() < end && child.exitCode === null) {
    const sql = postgres(`postgres://causeway@127.0.0.1:${port}/postgres`, { max: 1, fetch_types: false })
    try {
      const [row] = await sql<{ data_directory: string }[]>`SHOW data_directory`
      return row?.data_directory === data
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    } finally {
      await sql.end()
    }
  }
  return false
}

function serverOf(child: ChildProcess, port: number, folder: string, data: string): PostgresServer {
  const base = baseOf(port)
  let databases = 0
  const create = async (template?: string): Promise<string> => {
    const name = `test_${++databases}`
    await createIn(base, name, template)
    return `${base}/${name}`
  }
  // The test runner runs its last hooks, ours among them, when nothing keeps the process alive any more.
  const { stdin } = child
  child.unref()
  if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return {
    pid: Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]),
    dataFolder: data,
    createDatabase: () => create(),
    createPreparedDatabase: () => create(PREPARED),
    stop: async () => {
      child.ref()
      const ended = once(child, 'exit')
      stdin?.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The folder of initdb and postgres: of the PATH, or Debian's. */
function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  let versions: string[] = []
  try {
    versions = readdirSync(debian).toSorted((a, b) => Number(b) - Number(a))
  } catch {
    // Not a Debian with PostgreSQL.
  }
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...pathFolders()]
  return folders.find(
    (folder) => isExecutable(join(folder, 'initdb')) && isExecutable(join(folder, 'postgres')),
  )
}

function findUser(): ServerUser | undefined {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return undefined
}
