import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { startPostgres, type PostgresServer } from '@causeway/testkit/postgres.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startSynapse } from '@causeway/testkit/synapse.ts'
import { ensureBundle } from '../measured/bundle.ts'
import type { Destination } from './signing-server.ts'

export type Kind = 'synapse' | 'causeway' | 'causeway-postgres'

/** A homeserver that is measured: a process of its own, with its database. */
export interface Measured extends Destination, AsyncDisposable {
  readonly kind: Kind
  /** Base URL for clients. */
  readonly url: string
  /** The server's process. */
  readonly pid: number
  log(): string
  /** Processes whose time counts, each with its children. */
  readonly pids: readonly number[]
}

export interface StartOptions {
  readonly kind: Kind
  readonly authority: TestAuthority
  /** Where its data stay. Of PostgreSQL nothing stays. */
  readonly folder?: string
  readonly federationPort?: number
}

const SYNAPSE_LINES = [
  'ip_range_blacklist: []',
  'federation: {destination_min_retry_interval: 1s, destination_max_retry_interval: 2s}',
]

/** Starts a server of a kind, empty unless its folder holds something. Throws where that cannot be done here. */
export async function startServer(options: StartOptions): Promise<Measured> {
  const { authority, folder } = options
  const federationPort = options.federationPort ?? (await freePort())
  const serverName = `127.0.0.1:${federationPort}`
  if (folder !== undefined) await mkdir(folder, { recursive: true })
  const place = { serverName, ...(folder === undefined ? {} : { folder }) }
  if (options.kind === 'synapse') {
    const synapse = await startSynapse({ authority, federationPort, extra: SYNAPSE_LINES, ...place })
    if ('skip' in synapse) throw new Error(synapse.skip)
    return {
      kind: options.kind,
      url: synapse.url,
      serverName,
      federationPort,
      pid: synapse.pid,
      pids: [synapse.pid],
      log: () => synapse.log(),
      [Symbol.asyncDispose]: () => synapse[Symbol.asyncDispose](),
    }
  }
  return startOurs(options, { ...place, federationPort })
}

async function startOurs(
  { kind, authority }: StartOptions,
  { federationPort, ...place }: { serverName: string; federationPort: number; folder?: string },
): Promise<Measured> {
  await using starting = new AsyncDisposableStack()
  let database: PostgresServer | undefined
  if (kind === 'causeway-postgres') {
    const started = await startPostgres()
    if ('skip' in started) throw new Error(started.skip)
    starting.defer(() => started.stop())
    database = started
  }
  const causeway = starting.use(
    await startCauseway({
      ...place,
      program: await ensureBundle(),
      ...(database === undefined ? {} : { databaseUrl: await database.createDatabase() }),
      federation: {
        port: federationPort,
        own: authority.issue('127.0.0.1'),
        authority: authority.certificate,
      },
    }),
  )
  const pid = causeway.pid()
  const reap = (): boolean => process.kill(pid, 'SIGKILL')
  process.once('exit', reap)
  starting.defer(() => void process.off('exit', reap))
  const all = starting.move()
  return {
    kind,
    url: causeway.url,
    serverName: causeway.serverName,
    federationPort,
    pid,
    log: () => causeway.log(),
    pids: database === undefined ? [pid] : [pid, database.pid],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

export async function emptyFolder(...segments: readonly string[]): Promise<string> {
  const folder = path.join(...segments)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return folder
}
