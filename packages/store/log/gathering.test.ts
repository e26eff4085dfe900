import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { LogEntry } from './entry.ts'
import { createGathering } from './gathering.ts'

const entriesAt = (...positions: number[]): LogEntry[] =>
  positions.map((position) => ({ kind: 'pushers', position, userId: '@a:x' }) as LogEntry)

it('pauses for few entries that nobody waits for, and for no others', async () => {
  const pauses: number[] = []
  const clock = {
    sleep: async (ms: number) => {
      pauses.push(ms)
    },
  }
  const gathering = createGathering(clock, { pauseMs: 1_000, enough: 3 })
  const { signal } = new AbortController()
  await gathering.beforeHandling(entriesAt(1, 2), signal)
  assert.deepEqual(pauses, [1_000])
  await gathering.beforeHandling(entriesAt(3, 4, 5), signal)
  assert.deepEqual(pauses, [1_000])
  gathering.hurry(7)
  await gathering.beforeHandling(entriesAt(7, 8), signal)
  assert.deepEqual(pauses, [1_000])
  await gathering.beforeHandling(entriesAt(9), signal)
  assert.deepEqual(pauses, [1_000, 1_000])
})

it('whoever is in a hurry ends the pause that is under way', async () => {
  const clock = {
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      ),
  }
  const gathering = createGathering(clock, { pauseMs: 1_000, enough: 3 })
  const paused = gathering.beforeHandling(entriesAt(1), new AbortController().signal)
  gathering.hurry(1)
  await paused
})
