import assert from 'node:assert/strict'
import { it } from 'node:test'
import { leapingClock } from './leaping-clock.ts'

const HOUR = 3_600_000

it('a leap runs what falls due meanwhile in its order, and nothing that was canceled', async () => {
  const clock = leapingClock()
  const [began, started] = [clock.now(), clock.monotonic()]
  const ran: string[] = []
  clock.setTimeout(() => ran.push('second'), HOUR)
  const canceled = clock.setTimeout(() => ran.push('never'), HOUR)
  clock.setTimeout(() => {
    ran.push('first')
    canceled.cancel()
  }, 1000)
  const late = clock.setTimeout(() => ran.push('later'), 3 * HOUR)
  const sleeping = clock.sleep(HOUR)
  clock.leap(2 * HOUR)
  assert.deepEqual(ran, ['first', 'second'])
  await sleeping
  assert.ok(clock.now() - began >= 2 * HOUR && clock.monotonic() - started >= 2 * HOUR)
  clock.leap(2 * HOUR)
  assert.deepEqual(ran, ['first', 'second', 'later'])
  late.cancel()
})

it('the date stays where that is wanted', () => {
  const clock = leapingClock({ date: 'stays' })
  const [began, started] = [clock.now(), clock.monotonic()]
  let ran = false
  clock.setTimeout(() => (ran = true), HOUR)
  clock.leap(2 * HOUR)
  assert.ok(ran && clock.now() - began < HOUR && clock.monotonic() - started >= 2 * HOUR)
})

it('it goes on as the machine’s does, also for what was due long after a leap', async () => {
  const clock = leapingClock()
  const soon = new Promise<void>((resolve) => void clock.setTimeout(resolve, HOUR + 20))
  clock.leap(HOUR)
  await soon
  await clock.sleep(1)
  await assert.rejects(clock.sleep(HOUR, AbortSignal.abort(new Error('stop'))), /stop/)
})
