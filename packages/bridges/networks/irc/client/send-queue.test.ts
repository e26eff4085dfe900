import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '@causeway/testkit/irc/manual-clock.ts'
import { SendQueue } from './send-queue.ts'

function setUp(limits = { burst: 3, perSecond: 2, queueLimit: 10 }) {
  const clock = manualClock()
  const written: string[] = []
  const dropped: string[] = []
  let hasRoom = true
  const queue = new SendQueue(clock, limits, (line) => {
    written.push(line)
    return hasRoom
  })
  const push = (line: string, urgent = false): boolean =>
    queue.push({ line, onWritten: () => undefined, onDropped: () => dropped.push(line) }, urgent)
  const setRoom = (value: boolean): void => void (hasRoom = value)
  return { clock, written, dropped, queue, push, setRoom }
}

test('a burst goes at once and the rest at the agreed rate', () => {
  const { clock, written, push } = setUp()
  for (let at = 0; at < 8; at++) push(String(at))
  assert.equal(written.length, 3)
  clock.advance(499)
  assert.equal(written.length, 3)
  clock.advance(1)
  assert.equal(written.length, 4)
  clock.advance(2000)
  assert.equal(written.join(''), '01234567')
  assert.equal(clock.pending, 0)
})

test('in any second no more leaves than burst and rate allow', () => {
  const { clock, written, push } = setUp()
  const perTick: number[] = []
  for (let tick = 0; tick < 200; tick++) {
    const before = written.length
    push(`a${tick}`)
    push(`b${tick}`)
    clock.advance(50)
    perTick.push(written.length - before)
  }
  for (let start = 0; start + 20 <= perTick.length; start++) {
    const inOneSecond = perTick.slice(start, start + 20).reduce((sum, count) => sum + count, 0)
    assert.ok(inOneSecond <= 3 + 2, `${inOneSecond} lines in the second from tick ${start}`)
  }
})

test('urgent lines overtake and overdraw the bucket by one burst only', () => {
  const { clock, written, push } = setUp()
  for (let at = 0; at < 5; at++) push(String(at))
  for (let at = 0; at < 5; at++) push(`P${at}`, true)
  assert.deepEqual(written, ['0', '1', '2', 'P0', 'P1', 'P2'])
  clock.advance(1000)
  assert.deepEqual(written.slice(6), ['P3', 'P4'])
  clock.advance(10_000)
  assert.deepEqual(written.slice(8), ['3', '4'])
})

test('after the registration the whole burst is there again', () => {
  const { written, push, queue } = setUp()
  for (let at = 0; at < 6; at++) push(`R${at}`, true)
  for (let at = 0; at < 4; at++) push(String(at))
  assert.equal(written.length, 6)
  queue.refill()
  assert.deepEqual(written.slice(6), ['0', '1', '2'])
})

test('a full queue refuses, and PINGs in masses do not pile up answers', () => {
  const { push, queue } = setUp()
  const taken = Array.from({ length: 20 }, (_, at) => push(String(at))).filter(Boolean)
  assert.equal(taken.length, 13)
  assert.equal(queue.length, 10)
  const urgent = Array.from({ length: 1000 }, () => push('PONG', true)).filter(Boolean)
  assert.equal(urgent.length, 67)
})

test('a full socket stops the queue until it drains', () => {
  const { written, push, queue, setRoom } = setUp()
  setRoom(false)
  push('0')
  push('1')
  assert.deepEqual(written, ['0'])
  setRoom(true)
  queue.resume()
  assert.deepEqual(written, ['0', '1'])
})

test('closing drops what waits, in order, and takes nothing more', () => {
  const { dropped, push, queue, clock } = setUp()
  for (let at = 0; at < 6; at++) push(String(at))
  queue.close()
  assert.deepEqual(dropped, ['3', '4', '5'])
  assert.equal(push('x'), false)
  assert.equal(clock.pending, 0)
})
