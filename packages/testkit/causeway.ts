import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { UNLIMITED } from '@causeway/homeserver/limits/test-limits.ts'
import type { KeyAndCertificate } from './certificates.ts'
import { freePort } from './free-port.ts'

const MAIN = path.join(import.meta.dirname, '../cli/main.ts')

export interface CausewayOptions {
  readonly serverName?: string
  /** Further sections of the configuration file, as YAML text. */
  readonly extra?: string
  /** A PostgreSQL to use instead of SQLite. */
  readonly databaseUrl?: string
  /** Lets it meet other servers of this machine, over TLS. */
  readonly federation?: CausewayFederation
  /** Where its data lie, and stay when it is disposed of; else a folder of its own, which does not. */
  readonly folder?: string
  /** What to run, instead of the source: a bundle. */
  readonly program?: string
}

export interface CausewayFederation {
  /** Where it listens on loopback: what the server's name leads to in the end. */
  readonly port: number
  readonly own: KeyAndCertificate
  /** PEM: whose certificates it believes beside the well-known ones. */
  readonly authority: string
}

/** The program as an operator runs it: a process of its own, with a folder that lasts until it is disposed of. */
export interface Causeway extends AsyncDisposable {
  /** Base URL for clients; stays the same over restarts. */
  readonly url: string
  readonly serverName: string
  readonly folder: string
  pid(): number
  /** Everything it wrote to standard error. */
  log(): string
  /** Ends it by SIGTERM and starts it anew on the same data and port. */
  restart(): Promise<void>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
  /** SIGSTOP: it does nothing until `thaw`, and its connections stay open. */
  freeze(): void
  thaw(): void
  start(): Promise<void>
  /** Ends it by SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
}

function federationListener(federation: CausewayFederation | undefined): string[] {
  if (federation === undefined) return []
  return [
    '  - host: 127.0.0.1',
    `    port: ${federation.port}`,
    '    tls_cert: tls.crt',
    '    tls_key: tls.key',
    '    resources: [federation]',
  ]
}

function federationSection(federation: CausewayFederation | undefined): string[] {
  if (federation === undefined) return []
  return [
    'federation:',
    "  allow_private_addresses: ['127.0.0.0/8']",
    '  ca_certificates: [authority.pem]',
    '  key_servers: []',
  ]
}

async function writeCertificates(folder: string, federation: CausewayFederation): Promise<void> {
  await writeFile(path.join(folder, 'tls.crt'), federation.own.certificate)
  await writeFile(path.join(folder, 'tls.key'), federation.own.key)
  await writeFile(path.join(folder, 'authority.pem'), federation.authority)
}

function configText(folder: string, port: number, options: CausewayOptions): string {
  return [
    `server_name: "${options.serverName ?? 'localhost'}"`,
    `data_dir: ${JSON.stringify(folder)}`,
    `public_base_url: http://127.0.0.1:${port}`,
    'listeners:',
    '  - host: 127.0.0.1',
    `    port: ${port}`,
    ...federationListener(options.federation),
    'registration: {mode: open, shared_secret: testkit}',
    'password_hash: {memory: 1M, passes: 1}',
    'log: {level: info, format: text}',
    `rate_limits: ${JSON.stringify(UNLIMITED)}`,
    ...(options.databaseUrl === undefined ? [] : ['database:', `  url: ${options.databaseUrl}`]),
    ...federationSection(options.federation),
    options.extra ?? '',
    '',
  ].join('\n')
}

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly exited: Promise<number | null>
}

/** Ours, without what the program would take for options: settings of the test run have the same beginning. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CAUSEWAY_')))
}

function launch(program: string, configFile: string, onLog: (text: string) => void): Promise<Running> {
  const child = spawn(process.execPath, [program, 'serve', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  })
  // Not `exit`: what it wrote last is still on its way to us then.
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  child.stderr.on('data', (data: Buffer) => onLog(data.toString()))
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /listening on\s+(http:\S+?)(,|$)/.exec(line)?.[1]
      if (url !== undefined) resolve({ child, url, exited })
    })
    void exited.then((code) => reject(new Error(`Causeway ended with ${code} before it was ready`)))
  })
}

/** How often another port is tried where somebody took the first between our looking and the server's binding. */
const TRIES = 5

/** Starts the program on a port that is free. */
export async function startCauseway(options: CausewayOptions = {}): Promise<Causeway> {
  const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'causeway-')))
  const configFile = path.join(folder, 'causeway.yaml')
  if (options.federation !== undefined) await writeCertificates(folder, options.federation)
  let log = ''
  const run = async (port: number): Promise<Running> => {
    await writeFile(configFile, configText(folder, port, options))
    try {
      return await launch(options.program ?? MAIN, configFile, (text) => (log += text))
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${log}`, { cause })
    }
  }
  const startFirst = async (tries: number): Promise<{ running: Running; port: number }> => {
    const port = await freePort()
    try {
      return { running: await run(port), port }
    } catch (cause) {
      const isTaken = /EADDRINUSE|listens there already/.test((cause as Error).message)
      if (!isTaken || tries === 1) throw cause
      return startFirst(tries - 1)
    }
  }
  const first = await startFirst(TRIES)
  let { running } = first
  const { port } = first
  const { url } = running
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    running.child.kill(signal)
    return running.exited
  }
  const causeway: Causeway = {
    url,
    serverName: options.serverName ?? 'localhost',
    folder,
    pid: () => running.child.pid!,
    log: () => log,
    restart: async () => {
      await end('SIGTERM')
      running = await run(port)
    },
    kill: async () => void (await end('SIGKILL')),
    freeze: () => void running.child.kill('SIGSTOP'),
    thaw: () => void running.child.kill('SIGCONT'),
    start: async () => {
      running = await run(port)
    },
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM')
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
  return causeway
}
