import { createHash } from 'node:crypto'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Chance } from './chance.ts'

/** A completion that waits for its turn. */
interface Pending {
  readonly at: number
  readonly tie: number
  readonly order: number
  readonly label: string
  run: (() => void) | undefined
}

export interface Planned {
  cancel(): void
}

/**
 * Owns every completion of a simulation: timers, deferred calls, commits, deliveries. One at a time is run, in the
 * order of virtual time and then of chance, and the next only when nothing that the one before set going is left to do
 * without another completion.
 */
export interface Scheduler {
  /** Virtual milliseconds since the start. */
  now(): number
  /** Runs `fn` at a virtual time. `label` goes into the trace. */
  at(time: number, label: string, fn: () => void): Planned
  /** Runs what falls due up to this time, and stops there; earlier when `done` holds after a step. */
  runUntil(time: number, done?: () => boolean): Promise<void>
  /** Runs until a promise settles. @throws when nothing is left to run */
  settle<T>(promise: Promise<T>, limitMs: number): Promise<T>
  /** Writes into the trace. */
  note(text: string): void
  /** A hash over everything that happened, in order. */
  trace(): string
  steps(): number
  pending(): number
  /** Called after every step. */
  onStep: (() => void) | undefined
}

/** More steps than any honest run takes: work has to stay bounded. */
const MAX_STEPS = 400_000

/** What would complete by itself, out of the scheduler's hands. */
const FOREIGN = /FSReq|Timeout|Worker|Message|TCP|TLS|GetAddrInfo|Crypto|Job|Process/

function isBefore(a: Pending, b: Pending): boolean {
  if (a.at !== b.at) return a.at < b.at
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order
}

/** A binary heap: thousands wait at once. */
class Heap {
  readonly #items: Pending[] = []

  get size(): number {
    return this.#items.length
  }

  peek(): Pending | undefined {
    return this.#items[0]
  }

  push(item: Pending): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): Pending | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (first === undefined || last === undefined || items.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++
      if (!isBefore(items[child]!, last)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return first
  }
}

/** Resolves when no microtask and no tick is left: everything that the step could do without a completion is done. */
export function drained(): Promise<void> {
  return new Promise((resolve) => systemClock.defer(resolve))
}

/** What is open in this process already, such as a test runner's pipes. */
function countForeign(): number {
  return process.getActiveResourcesInfo().filter((name) => FOREIGN.test(name)).length
}

export function createScheduler(chance: Chance): Scheduler {
  const heap = new Heap()
  const hash = createHash('sha256')
  const verbose = process.env['CAUSEWAY_SIMULATION_TRACE'] === '1'
  const foreignBefore = countForeign()
  let now = 0
  let order = 0
  let steps = 0
  const note = (text: string): void => {
    hash.update(text).update('\n')
    if (verbose) process.stdout.write(`${now.toFixed(3)} ${text}\n`)
  }
  /** Runs the next completion, if it falls due by then. */
  const step = async (limit: number): Promise<boolean> => {
    const next = heap.peek()
    if (next === undefined || next.at > limit) return false
    heap.pop()
    const { run } = next
    if (run === undefined) return true
    next.run = undefined
    now = Math.max(now, next.at)
    if (++steps > MAX_STEPS) throw new Error(`work is not bounded: more than ${MAX_STEPS} steps`)
    note(`${now} ${next.label}`)
    run()
    await drained()
    if (steps % 64 === 0 && countForeign() > foreignBefore) {
      throw new Error(
        `something completes without the scheduler: ${process.getActiveResourcesInfo().join(' ')}`,
      )
    }
    scheduler.onStep?.()
    return true
  }
  const scheduler: Scheduler = {
    now: () => now,
    at(time, label, run) {
      const item: Pending = {
        at: Math.max(time, now),
        tie: chance.below(2 ** 32),
        order: order++,
        label,
        run,
      }
      heap.push(item)
      return { cancel: () => void (item.run = undefined) }
    },
    async runUntil(time, done) {
      while (done?.() !== true) {
        if (await step(time)) continue
        now = Math.max(now, time)
        return
      }
    },
    async settle(promise, limitMs) {
      let isDone = false
      const finish = (): void => void (isDone = true)
      promise.then(finish, finish)
      await drained()
      await scheduler.runUntil(now + limitMs, () => isDone)
      if (!isDone) throw new Error(`nothing came of it within ${limitMs} virtual milliseconds`)
      return promise
    },
    note,
    trace: () => hash.copy().digest('hex'),
    steps: () => steps,
    pending: () => heap.size,
    onStep: undefined,
  }
  return scheduler
}
