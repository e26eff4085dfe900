import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'
import { UNLIMITED } from '@causeway/homeserver/limits/test-limits.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import type { Measure, WorkerReport, WorkerStart } from './worker-messages.ts'

const WORKER = path.join(import.meta.dirname, 'server-worker.ts')

/** One of our servers as the others meet it: a process that speaks HTTPS. */
export interface ServerProcess extends AsyncDisposable {
  readonly name: ServerName
  /** Where other servers connect. */
  readonly port: number
  /** Where clients connect. */
  readonly url: string
  /** Lines of its log from `warn` on. */
  readonly log: string[]
  /** Rejects when the process has ended: then nothing of it can be awaited. */
  readonly ended: Promise<never>
  measure(): Promise<Measure>
}

export interface ServerOptions {
  readonly host: string
  readonly authority: TestAuthority
  readonly dns: string
  readonly wellKnownPort: number
  /** Servers that are asked for keys of others. */
  readonly notaries: readonly string[]
}

export async function startServerProcess(options: ServerOptions): Promise<ServerProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'federation-fuzz-'))
  const port = await freePort()
  const name = `${options.host}:${port}` as ServerName
  const { key, certificate } = options.authority.issue(options.host)
  await writeFile(path.join(folder, 'tls.key'), key)
  await writeFile(path.join(folder, 'tls.crt'), certificate)
  await writeFile(path.join(folder, 'authority.pem'), options.authority.certificate)
  const start: WorkerStart = {
    folder,
    dns: options.dns,
    wellKnownPort: options.wellKnownPort,
    environment: environmentOf(name, port, folder, options.notaries),
  }
  const child = fork(WORKER, { execArgv: ['--expose-gc'], env: bareEnvironment() })
  const log: string[] = []
  const ended = once(child, 'exit').then(([code]): never => {
    throw new Error(`the server ${name} has ended (${code}):\n${log.slice(-20).join('')}`)
  })
  ended.catch(() => undefined)
  const reports = new EventTarget()
  child.on('message', (report: WorkerReport) => {
    if (report.kind === 'log') log.push(report.line)
    else reports.dispatchEvent(new CustomEvent(report.kind, { detail: report }))
  })
  const next = <K extends WorkerReport['kind']>(kind: K): Promise<Extract<WorkerReport, { kind: K }>> =>
    Promise.race([
      ended,
      new Promise<Extract<WorkerReport, { kind: K }>>((resolve) => {
        const take = (event: Event): void => resolve((event as CustomEvent).detail as never)
        reports.addEventListener(kind, take, { once: true })
      }),
    ])
  const ready = next('ready')
  child.send(start)
  const { url } = await ready
  return {
    name,
    port,
    url,
    log,
    ended,
    async measure() {
      const measured = next('measured')
      child.send('measure')
      return (await measured).measured
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.connected) {
        const exited = once(child, 'exit')
        child.send('stop')
        await exited
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function environmentOf(
  name: ServerName,
  port: number,
  folder: string,
  notaries: readonly string[],
): Record<string, string> {
  const tls = `{host: 127.0.0.1, port: ${port}, tls_cert: ${folder}/tls.crt, tls_key: ${folder}/tls.key, resources: [federation]}`
  return {
    CAUSEWAY_SERVER_NAME: name,
    CAUSEWAY_DATA_DIR: folder,
    CAUSEWAY_LISTENERS: `[{host: 127.0.0.1, port: 0}, ${tls}]`,
    CAUSEWAY_REGISTRATION__MODE: 'open',
    CAUSEWAY_PASSWORD_HASH__MEMORY: '64K',
    CAUSEWAY_PASSWORD_HASH__PASSES: '1',
    CAUSEWAY_RATE_LIMITS: JSON.stringify(UNLIMITED),
    CAUSEWAY_MEMORY__BUDGET: '32M',
    // Not the whole of loopback: 127.0.0.2 and ::1 are the network behind the firewall that nobody may reach.
    CAUSEWAY_FEDERATION__ALLOW_PRIVATE_ADDRESSES: '[127.0.0.1]',
    CAUSEWAY_FEDERATION__CA_CERTIFICATES: `[${folder}/authority.pem]`,
    CAUSEWAY_FEDERATION__KEY_SERVERS: JSON.stringify(notaries),
  }
}

/** Settings of the test run have the beginning that the program would take for its options. */
function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CAUSEWAY_')))
}
