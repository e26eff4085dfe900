import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { createLogSink } from './log-sink.ts'
import { createLogger, type Logger, type LogOptions } from './log.ts'

function start(more: Partial<LogOptions> = {}): { log: Logger; lines: string[] } {
  const lines: string[] = []
  const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) }
  const write = (line: string): void => void lines.push(line)
  return { lines, log: createLogger({ level: 'info', format: 'json', clock, write, ...more }) }
}

it('writes one JSON object a line with time, level, message and fields', () => {
  const { log, lines } = start()
  log.child({ part: 'sync' }).info('hello', { count: 2, none: undefined })
  assert.equal(
    lines[0],
    '{"time":"2026-01-02T03:04:05.006Z","level":"info","message":"hello","part":"sync","count":2}\n',
  )
})

it('leaves out what is below its level', () => {
  const { log, lines } = start({ level: 'warn' })
  log.info('no')
  log.error('yes')
  assert.equal(lines.length, 1)
  assert.deepEqual([log.enabled('info'), log.enabled('error')], [false, true])
})

it('never shows tokens and passwords, by the name of the field or within a text', () => {
  const { log, lines } = start()
  const error = new Error('connect postgres://u:hunter2@db/x failed')
  log.info('GET /sync?since=1&access_token=tok1', {
    access_token: 'tok2',
    asToken: 'tok3',
    nested: { password: 'tok4', url: 'https://a/?access_token=tok5' },
    header: 'authorization: Bearer tok6',
    error,
  })
  const line = lines[0]!
  assert.doesNotMatch(line, /tok\d|hunter2/)
  assert.match(line, /since=1/)
  assert.match(line, /"stack":/)
})

it('survives values that cannot be shown', () => {
  const { log, lines } = start()
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  log.info('x', { circle, big: 5n })
  assert.match(lines[0]!, /cannot be shown/)
  assert.match(lines[0]!, /"big":"5"/)
})

it('is readable at a terminal, with the stack on lines of its own', () => {
  const { log, lines } = start({ format: 'text' })
  log.warn('disk is nearly full', { free: '1 GB', error: new Error('boom') })
  // oxlint-disable-next-line no-control-regex -- the colors are what is taken out
  const plain = lines[0]!.replaceAll(/\x1b\[\d+m/g, '')
  assert.match(plain, /^03:04:05\.006 warn {2}disk is nearly full free=1 GB\nError: boom\n {4}at /)
})

it('a sink writes in order and never makes the caller wait', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  const fd = openSync(join(folder, 'log'), 'w')
  const sink = createLogSink(fd)
  for (let i = 0; i < 1000; i += 1) sink.write(`line ${i}\n`)
  while (!readFileSync(join(folder, 'log'), 'utf8').endsWith('line 999\n')) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  const lines = readFileSync(join(folder, 'log'), 'utf8').trim().split('\n')
  assert.deepEqual([lines.length, lines[0], lines[999]], [1000, 'line 0', 'line 999'])
  closeSync(fd)
  rmSync(folder, { recursive: true })
})
