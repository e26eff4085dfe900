import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import type { TestAuthority } from './certificates.ts'
import { ensurePythonVenv } from './python-venv.ts'

// Sydent lists no client of Prometheus, and cannot check signatures of homeservers with canonicaljson 2, which takes no
// bytes for text any more.
const PACKAGES = [
  'matrix-sydent==2.6.1',
  'canonicaljson==1.6.5',
  'prometheus-client==0.26.0',
  'twisted==26.10.0',
]
/** Sydent on two busy cores. */
const START_MS = 90_000

export interface SydentOptions {
  /** Issues its certificate, and is what it trusts when it speaks to homeservers. */
  readonly authority: TestAuthority
  /** A mail server on loopback that takes mail without TLS. */
  readonly smtpPort: number
}

/** A real Sydent on loopback, behind TLS as in real life. Disposing it ends the process and removes its folder. */
export interface Sydent extends AsyncDisposable {
  /** `localhost` with a port: what clients call it. */
  readonly name: string
  log(): string
}

/** Why there is none here: to be printed with what is skipped. */
export interface SydentAbsent {
  readonly skip: string
}

const MAIL = 'From: %(from)s\nTo: %(to)s\nContent-Type: text/plain; charset=utf-8\n'
const TEMPLATES: Readonly<Record<string, string>> = {
  'verification_template.eml': `${MAIL}Subject: confirm\n\n%(link)s\n`,
  'invite_template.eml': `${MAIL}Subject: %(subject_header_value)s\n\nroom: %(room_name)s\nsender: %(sender)s\n`,
  'verify_response_template.html': '%(message)s',
}

function configuration(folder: string, name: string, smtpPort: number): string {
  return [
    '[general]',
    `server.name = ${name}`,
    `pidfile.path = ${folder}/pid`,
    `templates.path = ${folder}/templates`,
    'brand.default = test',
    'ip.whitelist = 127.0.0.0/8, ::1',
    '[db]',
    `db.file = ${folder}/sydent.db`,
    '[http]',
    'clientapi.http.bind_address = 127.0.0.1',
    'clientapi.http.port = 0',
    `client_http_base = https://${name}`,
    '[email]',
    'email.from = Sydent <sydent@test.example>',
    'email.smtphost = 127.0.0.1',
    `email.smtpport = ${smtpPort}`,
    'email.hostname = localhost',
    'email.ratelimit_sender.burst = 1000',
    '',
  ].join('\n')
}

/** Ends TLS in front of a port of loopback that is known later. */
async function startTlsProxy(authority: TestAuthority, portOf: () => number) {
  const { key, certificate: cert } = authority.issue('localhost', '127.0.0.1')
  const open = new Set<TLSSocket>()
  const server = createServer({ key, cert }, (client) => {
    open.add(client)
    const upstream = connect(portOf(), '127.0.0.1')
    client
      .on('error', () => upstream.destroy())
      .on('close', () => {
        open.delete(client)
        upstream.destroy()
      })
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of open) socket.destroy()
    await closed
  }
  return { port: (server.address() as AddressInfo).port, stop }
}

/** Starts a Sydent that homeservers ask as `https://<name>`, or says why that cannot be done here. */
export async function startSydent({ authority, smtpPort }: SydentOptions): Promise<Sydent | SydentAbsent> {
  const found = await ensurePythonVenv('sydent', PACKAGES)
  if ('skip' in found) return found
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-sydent-'))
  let port = 0
  const proxy = await startTlsProxy(authority, () => port)
  const name = `localhost:${proxy.port}`
  const templates = path.join(folder, 'templates/test')
  await mkdir(templates, { recursive: true })
  for (const [file, text] of Object.entries(TEMPLATES)) await writeFile(path.join(templates, file), text)
  await writeFile(path.join(folder, 'sydent.conf'), configuration(folder, name, smtpPort))
  await writeFile(path.join(folder, 'authority.pem'), authority.certificate)
  const child = spawn(found.python, ['-m', 'sydent.sydent'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      SYDENT_CONF: path.join(folder, 'sydent.conf'),
      // Where OpenSSL finds whom to trust.
      SSL_CERT_FILE: path.join(folder, 'authority.pem'),
      PYTHONUNBUFFERED: '1',
    },
  })
  let log = ''
  const listening = new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('it took too long')), START_MS)
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-100_000)
        const told = /Site starting on (\d+)/.exec(log)
        if (told === null) return
        clearTimeout(late)
        resolve(Number(told[1]))
      })
    }
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)))
  })
  const reap = (): void => void child.kill('SIGKILL')
  process.on('exit', reap)
  const stop = async (): Promise<void> => {
    await proxy.stop()
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const hard = setTimeout(reap, 10_000)
      await exited
      clearTimeout(hard)
    }
    process.off('exit', reap)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    port = await listening
  } catch (error) {
    await stop()
    throw new Error(`Sydent did not start:\n${log.slice(-3000)}`, { cause: error })
  }
  return { name, log: () => log, [Symbol.asyncDispose]: stop }
}
