import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { createInterface } from 'node:readline'

/** A process that was asked to stop and cannot: only the second signal ends it. `clock` is moved by its own hand. */
const STUBBORN = `
  const { waitForStop } = await import(${JSON.stringify(new URL('stop-signal.ts', import.meta.url).href)})
  let now = 0
  const clock = { monotonic: () => now }
  const watch = waitForStop({ flush: () => console.log('flushed') }, clock)
  setInterval(() => {}, 1000)
  process.on('SIGTERM', () => { console.log('told'); now += Number(process.argv[1]) })
  watch.reason.then((reason) => console.log('asked by ' + reason))
  console.log('ready')
`

async function run(step: number): Promise<{
  next: () => Promise<string>
  kill: (signal?: NodeJS.Signals) => void
  ended: Promise<unknown[]>
}> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', STUBBORN, String(step)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  assert.equal(await next(), 'ready')
  return { next, ended, kill: (signal = 'SIGTERM') => void child.kill(signal) }
}

it('the first signal asks, a second one ends the process at once', async () => {
  const { next, kill, ended } = await run(501)
  kill()
  assert.equal(await next(), 'told')
  assert.equal(await next(), 'asked by SIGTERM')
  kill()
  assert.equal(await next(), 'flushed')
  assert.deepEqual(await ended, [143, null])
})

it('the same request told twice by terminal and npm counts once', async () => {
  const { next, kill, ended } = await run(0)
  kill()
  await next()
  await next()
  kill()
  assert.equal(await next(), 'told')
  kill('SIGKILL')
  assert.deepEqual(await ended, [null, 'SIGKILL'])
})
