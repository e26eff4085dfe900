import { findNextOperation } from '@causeway/store/tables/bridge-outbox.ts'
import type { OutboxRecord } from '@causeway/store/tables/bridge-outbox.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { HubLog } from '../hub-context.ts'

/** What working on an operation came to. */
export type OperationResult =
  /** It is over; `steps` say so and may be committed together with the beginning of the next. */
  | { readonly kind: 'over'; readonly steps: readonly Step[] }
  | { readonly kind: 'later'; readonly afterMs: number }

/** Works on one operation. `before` are steps of the one before, to be committed with the first of its own. */
export type RunOperation = (operation: OutboxRecord, before: readonly Step[]) => Promise<OperationResult>

export interface LaneRunnerDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: HubLog
  readonly run: RunOperation
  readonly signal: AbortSignal
}

/** First and longest pause after a fault of ours; doubles in between. */
const FAULT_PAUSE_MS = 1_000
const FAULT_PAUSE_MAX_MS = 60_000

/**
 * Works off lanes: within one strictly in order, one operation after another; lanes beside one another. An operation
 * that cannot be done yet holds up its lane, never others.
 */
export class LaneRunner {
  readonly #deps: LaneRunnerDeps
  /** A lane is here while somebody works on it; true = look again when done. */
  readonly #running = new Map<string, boolean>()
  readonly #timers = new Map<string, Timer>()
  #idle: (() => void)[] = []

  constructor(deps: LaneRunnerDeps) {
    this.#deps = deps
  }

  /** Looks for work in a lane now, also where it was told to wait. */
  wake(lane: string): void {
    if (this.#deps.signal.aborted) return
    this.#timers.get(lane)?.cancel()
    this.#timers.delete(lane)
    if (this.#running.has(lane)) {
      this.#running.set(lane, true)
      return
    }
    this.#running.set(lane, false)
    void this.#work(lane)
  }

  /** Wakes every lane that waits: something became possible again. */
  wakeWaiting(): void {
    for (const lane of this.#timers.keys()) this.wake(lane)
  }

  /** Resolves when nobody works. Lanes that wait for a later time count as idle. */
  settle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  async #work(lane: string): Promise<void> {
    let faults = 0
    let pauseMs: number | undefined
    while (!this.#deps.signal.aborted) {
      this.#running.set(lane, false)
      try {
        pauseMs = await this.#drain(lane)
        faults = 0
      } catch (error) {
        pauseMs = Math.min(FAULT_PAUSE_MAX_MS, FAULT_PAUSE_MS * 2 ** faults++)
        this.#deps.log.error('a lane of the bridges failed; it will go on', { lane, error, pauseMs })
      }
      if (this.#running.get(lane) !== true) break
    }
    this.#running.delete(lane)
    if (pauseMs !== undefined && !this.#deps.signal.aborted) {
      this.#timers.set(
        lane,
        this.#deps.clock.setTimeout(() => this.wake(lane), pauseMs),
      )
    }
    if (this.#running.size === 0) for (const wake of this.#idle.splice(0)) wake()
  }

  /** Works until the lane is empty (undefined) or has to wait (milliseconds). */
  async #drain(lane: string): Promise<number | undefined> {
    const { db, run, signal } = this.#deps
    let before: readonly Step[] = []
    let last = 0
    try {
      while (!signal.aborted) {
        const operation = await findNextOperation(db, lane, last)
        if (operation === undefined) return undefined
        const carried = before
        before = []
        const result = await run(operation, carried)
        if (result.kind === 'later') return result.afterMs
        last = operation.nid
        before = result.steps
      }
      return undefined
    } finally {
      // Also on the way out: what was sent must be known as sent.
      if (before.length > 0) await db.commit({ entries: [], steps: before })
    }
  }
}
