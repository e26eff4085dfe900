import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { TestAuthority } from './certificates.ts'
import { freePort } from './free-port.ts'
import { ensurePythonVenv, type PythonVenv } from './python-venv.ts'

const run = promisify(execFile)
const SYNAPSE = 'matrix-synapse==1.163.2'
/** Ten times what it takes on two busy cores. */
const START_MS = 300_000
/** How long it may take to end in order. */
const STOP_MS = 60_000
/** How often other ports are tried where somebody took the first between our looking and its binding. */
const TRIES = 3

export interface SynapseOptions {
  /** Registrations of application services, as objects. */
  readonly appservices?: readonly object[]
  /**
   * With an authority it speaks to other servers: its name is then `localhost:<port>`, where it listens with a
   * certificate of that authority, and it trusts certificates of that authority.
   */
  readonly authority?: TestAuthority
  /** What it is called instead, when something else leads to its port. */
  readonly serverName?: string
  /** Servers whose word on the keys of others it believes. */
  readonly keyServers?: readonly string[]
  /** Further lines of its configuration. */
  readonly extra?: readonly string[]
  /** Where its data lie, and stay when it is disposed of; else a folder of its own, which does not. */
  readonly folder?: string
  /** Where it listens for other servers, when its name has to be the same as in an earlier run. */
  readonly federationPort?: number
}

/** A real Synapse on loopback. Disposing it ends the process and removes its folder. */
export interface Synapse extends AsyncDisposable {
  readonly url: string
  /** `localhost`, with the port of its federation listener where it has one. */
  readonly serverName: string
  /** Where it listens for other servers; 0 where it does not. */
  readonly federationPort: number
  readonly pid: number
  log(): string
  stop(): Promise<void>
  start(): Promise<void>
}

/** Why there is none here: to be printed with what is skipped. */
export interface SynapseAbsent {
  readonly skip: string
}

async function hasSynapse(python: string): Promise<boolean> {
  return run(python, ['-c', 'import synapse.app.homeserver']).then(
    () => true,
    () => false,
  )
}

/** A Python with Synapse: the one that `SYNAPSE_PYTHON` names, or one of the tests' own, made on first use. */
export async function ensureSynapse(): Promise<PythonVenv> {
  const named = process.env['SYNAPSE_PYTHON']
  if (named === undefined) return ensurePythonVenv('synapse', [SYNAPSE])
  return (await hasSynapse(named))
    ? { python: named }
    : { skip: `SYNAPSE_PYTHON names ${named}, which has no Synapse` }
}

const UNLIMITED = '{per_second: 100000, burst_count: 100000}'

interface Ports {
  readonly client: number
  /** Undefined: it speaks to nobody. */
  readonly federation: number | undefined
}

function nameOf({ federation }: Ports, { serverName }: SynapseOptions): string {
  return serverName ?? (federation === undefined ? 'localhost' : `localhost:${federation}`)
}

function federationLines(folder: string, port: number): string[] {
  return [
    `  - {port: ${port}, bind_addresses: [127.0.0.1], type: http, tls: true, resources: [{names: [federation]}]}`,
    `tls_certificate_path: ${folder}/tls.crt`,
    `tls_private_key_path: ${folder}/tls.key`,
    `federation_custom_ca_list: [${folder}/authority.pem]`,
    'federation_ip_range_blacklist: []',
    'allow_public_rooms_over_federation: true',
    'allow_profile_lookup_over_federation: true',
    'rc_federation: {window_size: 1000, sleep_limit: 100000, sleep_delay: 1, reject_limit: 100000, concurrent: 100}',
  ]
}

function configuration(
  folder: string,
  ports: Ports,
  appservices: readonly string[],
  options: SynapseOptions,
): string {
  const { keyServers = [], extra = [] } = options
  const { client: port, federation } = ports
  const notaries = keyServers.map((name) => `{server_name: "${name}"}`)
  return [
    `server_name: "${nameOf(ports, options)}"`,
    'report_stats: false',
    `pid_file: ${folder}/pid`,
    `public_baseurl: http://127.0.0.1:${port}/`,
    'listeners:',
    `  - {port: ${port}, bind_addresses: [127.0.0.1], type: http, tls: false, resources: [{names: [client]}]}`,
    ...(federation === undefined ? [] : federationLines(folder, federation)),
    `log_config: ${folder}/log.yaml`,
    `media_store_path: ${folder}/media`,
    `signing_key_path: ${folder}/signing.key`,
    'macaroon_secret_key: testkit',
    'form_secret: testkit',
    'enable_registration: true',
    'enable_registration_without_verification: true',
    'bcrypt_rounds: 4',
    'presence: {enabled: false}',
    `trusted_key_servers: [${notaries.join(', ')}]`,
    'suppress_key_server_warning: true',
    'url_preview_enabled: false',
    'soft_file_limit: 0',
    `rc_message: ${UNLIMITED}`,
    `rc_registration: ${UNLIMITED}`,
    `rc_login: {address: ${UNLIMITED}, account: ${UNLIMITED}, failed_attempts: ${UNLIMITED}}`,
    `rc_joins: {local: ${UNLIMITED}, remote: ${UNLIMITED}}`,
    `rc_joins_per_room: ${UNLIMITED}`,
    `rc_invites: {per_room: ${UNLIMITED}, per_user: ${UNLIMITED}, per_issuer: ${UNLIMITED}}`,
    `rc_room_creation: ${UNLIMITED}`,
    `rc_admin_redaction: ${UNLIMITED}`,
    'database:',
    '  name: sqlite3',
    `  args: {database: ${folder}/homeserver.db}`,
    `app_service_config_files: [${appservices.join(', ')}]`,
    ...extra,
  ].join('\n')
}

const LOG_CONFIG = [
  'version: 1',
  'formatters: {plain: {format: "%(levelname)s %(name)s %(message)s"}}',
  'handlers: {console: {class: logging.StreamHandler, formatter: plain}}',
  'root: {level: WARNING, handlers: [console]}',
  'disable_existing_loggers: false',
].join('\n')

function throwUnlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

async function federationPort({
  authority,
  federationPort: named,
}: SynapseOptions): Promise<number | undefined> {
  return authority === undefined ? undefined : (named ?? freePort())
}

async function writeFiles(folder: string, ports: Ports, options: SynapseOptions): Promise<void> {
  const { appservices = [], authority } = options
  const files = await Promise.all(
    appservices.map(async (registration, index) => {
      const file = path.join(folder, `appservice-${index}.yaml`)
      // JSON is YAML.
      await writeFile(file, JSON.stringify(registration))
      return file
    }),
  )
  const seed = Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
    .toString('base64')
    .replaceAll('=', '')
  // The key of an earlier run is the server's own, too: what it signed then has to be its word still.
  await writeFile(path.join(folder, 'signing.key'), `ed25519 a_1 ${seed}\n`, { flag: 'wx' }).catch(
    throwUnlessThere,
  )
  await writeFile(path.join(folder, 'log.yaml'), LOG_CONFIG)
  await writeFile(path.join(folder, 'homeserver.yaml'), configuration(folder, ports, files, options))
  if (authority === undefined) return
  const { key, certificate } = authority.issue('localhost', '127.0.0.1')
  await writeFile(path.join(folder, 'tls.crt'), certificate)
  await writeFile(path.join(folder, 'tls.key'), key)
  await writeFile(path.join(folder, 'authority.pem'), authority.certificate)
}

async function waitUntilReady(child: ChildProcess, url: string, log: () => string): Promise<void> {
  const end = Date.now() + START_MS
  while (Date.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`Synapse ended with ${child.exitCode}:\n${log().slice(-3000)}`)
    const isUp = await fetch(`${url}/_matrix/client/versions`).then(
      (response) => response.ok,
      () => false,
    )
    if (isUp) return
    await sleep(100)
  }
  child.kill('SIGKILL')
  throw new Error(`Synapse was not ready within ${START_MS} ms:\n${log().slice(-3000)}`)
}

/** Starts a Synapse with open registration and no limits, or says why that cannot be done here. */
export async function startSynapse(options: SynapseOptions = {}): Promise<Synapse | SynapseAbsent> {
  const found = await ensureSynapse()
  if ('skip' in found) return found
  const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'causeway-synapse-')))
  let ports: Ports = { client: 0, federation: undefined }
  let url = ''
  let log = ''
  let child: ChildProcess
  const start = async (): Promise<void> => {
    child = spawn(
      found.python,
      ['-m', 'synapse.app.homeserver', '-c', path.join(folder, 'homeserver.yaml')],
      {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-100_000)))
    await waitUntilReady(child, url, () => log)
  }
  for (let tries = 1; ; tries++) {
    ports = { client: await freePort(), federation: await federationPort(options) }
    url = `http://127.0.0.1:${ports.client}`
    await writeFiles(folder, ports, options)
    try {
      await start()
      break
    } catch (cause) {
      if (tries === TRIES || !/address already in use/i.test(log)) throw cause
      log = ''
    }
  }
  const reap = (): void => void child.kill('SIGKILL')
  process.on('exit', reap)
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const hard = setTimeout(reap, STOP_MS)
    await exited
    clearTimeout(hard)
  }
  return {
    url,
    serverName: nameOf(ports, options),
    federationPort: ports.federation ?? 0,
    get pid() {
      return child.pid ?? 0
    },
    log: () => log,
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop()
      process.off('exit', reap)
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}
