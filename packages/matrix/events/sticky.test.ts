import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stickyUntil } from './sticky.ts'

const until = (duration: unknown, sent: number, received: number): number | undefined =>
  stickyUntil({ msc4354_sticky: { duration_ms: duration }, origin_server_ts: sent }, received)

test('an event is sticky from when it was sent, and not from later than it came, for an hour at most', () => {
  assert.equal(until(1_000, 50, 100), 1_050)
  assert.equal(until(1_000, 5_000, 100), 1_100)
  assert.equal(until(3_600_001, 50, 100), 3_600_050)
  assert.equal(until(0, 50, 100), 50)
  assert.equal(until(-1, 50, 100), undefined)
  assert.equal(stickyUntil({ origin_server_ts: 1 }, 1), undefined)
})
