import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { createStickyLimit, STICKY_BURST } from './sticky-limit.ts'

const [one, two] = ['one.test', 'two.test'] as ServerName[] as [ServerName, ServerName]

it('lets a server have a thousand sticky events at once and twenty a second, whatever others have', () => {
  let now = 5_000
  const limit = createStickyLimit({ monotonic: () => now })
  const admitted = (server: ServerName): number => {
    let count = 0
    while (limit.admit(server)) count++
    return count
  }
  assert.equal(limit.waitFor(one, STICKY_BURST), 0)
  assert.equal(admitted(one), STICKY_BURST)
  assert.deepEqual([limit.waitFor(one, 1), limit.waitFor(one, 50), limit.waitFor(two, 50)], [50, 2_500, 0])
  now += 2_500
  assert.deepEqual([limit.waitFor(one, 50), admitted(one)], [0, 50])
  now += 3_600_000
  assert.equal(admitted(one), STICKY_BURST)
  assert.equal(admitted(two), STICKY_BURST)
})

it('remembers no more servers than it has place for, and forgets those first that may send all again', () => {
  let now = 0
  const limit = createStickyLimit({ monotonic: () => now })
  for (let n = 0; n < 20_000; n++) limit.admit(`${n}.test` as ServerName)
  now += 60
  while (limit.admit(one));
  for (let n = 0; n < 15_000; n++) limit.admit(`other${n}.test` as ServerName)
  assert.ok(limit.waitFor(one, 1) > 0)
})
