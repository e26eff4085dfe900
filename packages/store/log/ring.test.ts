import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LogEntry } from './entry.ts'
import { createRing, keyOf, weighEntry } from './ring.ts'
import { sampleAccountData, sampleEvent } from './sample-entries.ts'

const positions = (entries: LogEntry[] | 'fell-behind'): number[] | 'fell-behind' =>
  entries === 'fell-behind' ? entries : entries.map((entry) => entry.position)

test('entries after a position come in order, and those that have left are not silently missing', () => {
  const ring = createRing({ floor: 100, maxEntries: 4, maxBytes: 1e6 })
  assert.deepEqual(positions(ring.since(100)), [])
  assert.equal(ring.since(99), 'fell-behind')
  for (let position = 101; position <= 106; position++) ring.append(sampleEvent(1, position))
  assert.deepEqual(positions(ring.since(102)), [103, 104, 105, 106])
  assert.deepEqual(positions(ring.since(102, 2)), [103, 104])
  assert.deepEqual(positions(ring.since(106)), [])
  assert.deepEqual(positions(ring.since(500)), [])
  assert.equal(ring.since(101), 'fell-behind')
  assert.equal(ring.floor(), 102)
  assert.equal(ring.head(), 106)
})

test('bytes bound it too, and an entry larger than the ring leaves it empty', () => {
  const weight = weighEntry(sampleEvent(1, 1, 1000))
  const ring = createRing({ floor: 0, maxEntries: 100, maxBytes: 3 * weight })
  for (let position = 1; position <= 5; position++) ring.append(sampleEvent(1, position, 1000))
  assert.deepEqual(ring.figures(), { entries: 3, bytes: 3 * weight, keys: 1 })
  ring.append(sampleEvent(1, 6, 10_000))
  assert.deepEqual(ring.figures(), { entries: 0, bytes: 0, keys: 0 })
  assert.equal(ring.since(5), 'fell-behind')
  assert.deepEqual(positions(ring.since(6)), [])
})

test('a gap empties it, because what lies in the gap is unknown', () => {
  const ring = createRing({ floor: 0, maxEntries: 100, maxBytes: 1e6 })
  ring.append(sampleEvent(1, 1))
  ring.append(sampleEvent(1, 5))
  assert.equal(ring.since(1), 'fell-behind')
  assert.deepEqual(positions(ring.since(4)), [5])
  assert.throws(() => ring.append(sampleEvent(1, 5)), /comes after/)
})

test('a replaced event leaves nothing of its old form behind', () => {
  const ring = createRing({ floor: 0, maxEntries: 10, maxBytes: 1e6 })
  for (let position = 1; position <= 3; position++) ring.append(sampleEvent(1, position, 100))
  const redacted = { ...sampleEvent(1, 2).event, clientJson: '{}' }
  ring.replaceEvent(redacted)
  const found = [ring.since(0), ring.sinceOf(0, new Set(['!1:a.example']), new Set())]
  for (const entries of found) {
    const entry = (entries as LogEntry[])[1]!
    assert.ok(entry.kind === 'event' && entry.event === redacted && entry.position === 2)
  }
  ring.replaceEvent({ ...redacted, nid: 99 })
  ring.replaceEvent({ ...redacted, nid: -1 })
  for (let position = 4; position <= 14; position++) ring.append(sampleEvent(2, position))
  const bytes = (ring.since(ring.floor()) as LogEntry[]).reduce((sum, entry) => sum + weighEntry(entry), 0)
  assert.equal(ring.figures().bytes, bytes)
})

test('a reader of certain rooms and users gets theirs and no others, as if the whole were filtered', () => {
  const entry = fc.record({ isEvent: fc.boolean(), key: fc.nat(6), size: fc.nat(2000), gap: fc.nat(60) })
  const keys = fc.uniqueArray(fc.nat(8), { maxLength: 6 })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 120 }), keys, keys, fc.nat(130), (all, rooms, users, since) => {
      const ring = createRing({ floor: 0, maxEntries: 30, maxBytes: 40_000 })
      const appended: LogEntry[] = []
      let position = 0
      for (const { isEvent, key, size, gap } of all) {
        position += gap === 60 ? 5 : 1
        const next = isEvent ? sampleEvent(key, position, size) : sampleAccountData(key, position)
        ring.append(next)
        appended.push(next)
      }
      const roomSet = new Set(rooms.map((room) => `!${room}:a.example`))
      const userSet = new Set(users.map((user) => `@${user}:a.example`))
      const whole = ring.since(since)
      const found = ring.sinceOf(since, roomSet, userSet)
      if (since < ring.floor()) {
        assert.equal(whole, 'fell-behind')
        assert.equal(found, 'fell-behind')
        return
      }
      const expected = appended.filter((e) => e.position > since)
      assert.deepEqual(whole, expected)
      assert.deepEqual(
        found,
        expected.filter((e) => roomSet.has(keyOf(e)) || userSet.has(keyOf(e))),
      )
      const held = ring.since(ring.floor()) as LogEntry[]
      const { entries, bytes, keys: heldKeys } = ring.figures()
      assert.equal(entries, held.length)
      assert.ok(entries <= 30 && bytes <= 40_000)
      assert.equal(heldKeys, new Set(held.map(keyOf)).size)
    }),
  )
})

test('a forgotten room leaves nothing of its events, and readers of others see theirs without a gap', () => {
  const ring = createRing({ floor: 0, maxEntries: 4, maxBytes: 1e6 })
  const positionsOf = (room: number, ...all: number[]): void =>
    all.forEach((position) => ring.append(sampleEvent(room, position)))
  positionsOf(1, 1)
  positionsOf(2, 2)
  positionsOf(1, 3)
  const [first] = ring.since(0) as LogEntry[]
  ring.append({ kind: 'purge', position: 4, roomId: keyOf(first!) as never, roomNid: 1 })
  const { bytes } = ring.figures()
  ring.forgetRoom(keyOf(first!))
  assert.deepEqual(positions(ring.since(0)), [2, 4], 'that it was purged is still told')
  assert.deepEqual(positions(ring.sinceOf(0, new Set([keyOf(first!)]), new Set())), [4])
  assert.ok(ring.figures().bytes < bytes)
  if (first?.kind === 'event') ring.replaceEvent({ ...first.event, nid: 3 })
  assert.deepEqual(positions(ring.since(2)), [4])
  positionsOf(2, 5, 6, 7, 8)
  assert.deepEqual(positions(ring.since(4)), [5, 6, 7, 8])
  assert.equal(ring.figures().keys, 1)
})
