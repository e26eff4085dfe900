import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { StandaloneOptions } from '../standalone.ts'

/** A hub in a process of its own. */
export interface HubChild extends AsyncDisposable {
  /** SIGKILL: no goodbye anywhere. */
  kill(): Promise<void>
  log(): string
}

/** Starts one and waits until it takes transactions. */
export async function startHubChild(options: StandaloneOptions): Promise<HubChild> {
  const file = path.join(import.meta.dirname, 'hub-child.ts')
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-20_000)))
  const exited = once(child, 'exit')
  const reap = (): void => void child.kill('SIGKILL')
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    process.off('exit', reap)
  }
  process.on('exit', reap)
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(() => {
      throw new Error(`the hub ended at once: ${log}`)
    }),
  ])
  return {
    kill,
    log: () => log,
    [Symbol.asyncDispose]: kill,
  }
}
