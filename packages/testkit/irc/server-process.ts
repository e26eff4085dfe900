import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'

/** How one kind of server is started: its files, written into a fresh folder, and its command line. */
export interface ServerRecipe {
  readonly name: string
  /** Number of loopback ports to reserve before the files are written. */
  readonly ports: number
  files(folder: string, ports: readonly number[]): Record<string, string>
  command(folder: string): readonly string[]
}

/** A real IRC server on loopback. Disposing it ends the process and removes its folder. */
export interface RunningServer extends AsyncDisposable {
  readonly host: string
  /** Plain-text client port. */
  readonly port: number
  readonly ports: readonly number[]
  readonly pid: number
  /** Ends the process (SIGTERM, after 20 s SIGKILL) and waits for it; the folder stays for `start`. */
  stop(): Promise<void>
  /** Starts it again on the same ports after `stop` or `kill`. */
  start(): Promise<void>
  restart(): Promise<void>
  /** SIGKILL: no goodbye on any connection. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and silent, as when a machine hangs. */
  freeze(): void
  thaw(): void
}

/** How long a start may take: an idle machine needs a tenth of a second. */
const START_MS = 120_000
/** How long a server may take to see that we are gone again. */
const FAREWELL_MS = 10_000
/** How long a server may take to end in order. */
const STOP_MS = 20_000

/**
 * Whether somebody listens. Waits until the server has closed its side too: so it reads what comes, and our look does not
 * count any more among the connections that it takes from an address.
 */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    socket.resume()
    socket.end()
    // A server that resets the connection has seen its end as well.
    await once(socket, 'close', { signal: AbortSignal.timeout(FAREWELL_MS) }).catch(() => undefined)
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Some servers go on without a port that somebody took meanwhile. */
const isWithoutPort = (log: readonly string[]): boolean =>
  /address already in use|failed to bind/i.test(log.join(''))

async function waitUntilReady(child: ChildProcess, ports: readonly number[], log: string[]): Promise<void> {
  const end = Date.now() + START_MS
  const missing = new Set(ports)
  while (missing.size > 0 && Date.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null || isWithoutPort(log)) break
    await Promise.all([...missing].map(async (port) => (await answers(port)) && missing.delete(port)))
    if (missing.size > 0) await sleep(20)
  }
  if (missing.size === 0 && !isWithoutPort(log)) return
  const code = child.exitCode ?? child.signalCode
  child.kill('SIGKILL')
  const how = code === null ? `did not listen on ${[...missing].join()}` : `ended at once (${code})`
  throw new Error(`the IRC server ${how}: ${log.join('').slice(-2000)}`)
}

async function launch(recipe: ServerRecipe, folder: string, ports: readonly number[]): Promise<ChildProcess> {
  const [binary = '', ...args] = recipe.command(folder)
  const log: string[] = []
  const child = spawn(binary, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  child.on('error', (cause) => log.push(String(cause)))
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      // Enough to explain a failure; a debug log must not grow without end.
      if (log.length < 200) log.push(chunk.toString())
    })
  }
  await waitUntilReady(child, ports, log)
  return child
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  // A frozen process handles SIGTERM only once it runs again.
  child.kill('SIGCONT')
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(hard)
}

async function prepare(
  recipe: ServerRecipe,
): Promise<{ folder: string; ports: number[]; child: ChildProcess }> {
  for (let attempt = 0; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), `causeway-${recipe.name}-`))
    const ports: number[] = []
    while (ports.length < recipe.ports) ports.push(await freePort())
    for (const [name, text] of Object.entries(recipe.files(folder, ports))) {
      await writeFile(join(folder, name), text)
    }
    try {
      return { folder, ports, child: await launch(recipe, folder, ports) }
    } catch (cause) {
      await rm(folder, { recursive: true, force: true })
      if (attempt === 2) throw cause
    }
  }
}

/** Starts a server from its recipe and waits until all its ports accept connections. */
export async function startServer(recipe: ServerRecipe): Promise<RunningServer> {
  const prepared = await prepare(recipe)
  const { folder, ports } = prepared
  let child = prepared.child
  // A test run that dies must not leave servers behind.
  const reap = (): void => void child.kill('SIGKILL')
  process.on('exit', reap)
  const stop = (): Promise<void> => end(child, 'SIGTERM')
  const start = async (): Promise<void> => {
    child = await launch(recipe, folder, ports)
  }
  return {
    host: '127.0.0.1',
    port: ports[0] ?? 0,
    ports,
    get pid() {
      return child.pid ?? 0
    },
    stop,
    start,
    restart: async () => {
      await stop()
      await start()
    },
    kill: () => end(child, 'SIGKILL'),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      await stop()
      process.off('exit', reap)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
