import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
import {
  finaliseDelayedEvent,
  findDue,
  findNextSend,
  resumeMade,
  type DelayedEventRow,
} from '@causeway/store/tables/delayed-events.ts'
import type { Homeserver } from '../homeserver.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { sendDelayed, type SendingDeps } from './send-delayed.ts'

/** What became of events whose time came, since the start; and how late the last was that was sent. */
export interface DelayedFigures {
  sent: number
  refused: number
  /** Of ours: it is tried again. */
  fault: number
  lateMs: number
}

/** Sends what was scheduled when its time has come: one timer, for the next of all. */
export interface DelayedSending extends AsyncDisposable {
  readonly figures: Readonly<DelayedFigures>
  /** Takes up what was scheduled before the server stopped; what is late is sent now, in order, and nobody waits for it. */
  start(): void
  /** Something is scheduled for this time. */
  expect(sendTs: number): void
  /** Resolves when nothing is being sent and nothing is due. */
  idle(): Promise<void>
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'logger'>

/** The clock of the machine may be set: the timer never waits longer before it looks again. */
const LOOK_EVERY_MS = 60_000
/** Users for whom something is being sent at once. */
const AT_ONCE = 20
/** What takes longer, since another server is asked, holds up nobody else; its sender's other events come after it. */
const PATIENCE_MS = 250
const RETRY_MS = 5_000

class Sending implements DelayedSending {
  readonly figures: DelayedFigures = { sent: 0, refused: 0, fault: 0, lateMs: 0 }
  readonly #deps: Deps
  /** Read when something is sent: the record is not complete when this is made. */
  readonly #sendingDeps: () => SendingDeps
  readonly #stop = new AbortController()
  /** By user. */
  readonly #underWay = new Map<string, Promise<void>>()
  #timer: Timer | undefined
  #armedFor = Infinity
  #looking: Promise<void> | undefined
  #hasResumed = false
  #lookAgain = false

  constructor(deps: Deps, sendingDeps: () => SendingDeps) {
    this.#deps = deps
    this.#sendingDeps = sendingDeps
  }

  start(): void {
    this.#look()
  }

  expect(sendTs: number): void {
    if (sendTs < this.#armedFor) this.#arm(sendTs)
  }

  async idle(): Promise<void> {
    while (this.#looking !== undefined || this.#underWay.size > 0) {
      await this.#looking
      await Promise.all(this.#underWay.values())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    this.#timer?.cancel()
    await this.idle()
  }

  #arm(sendTs: number): void {
    this.#timer?.cancel()
    if (this.#stop.signal.aborted) return
    const { clock } = this.#deps
    this.#armedFor = sendTs
    const wait = Math.min(Math.max(0, sendTs - clock.now()), LOOK_EVERY_MS)
    this.#timer = clock.setTimeout(() => this.#look(), wait, { unref: true })
  }

  #look(): void {
    if (this.#stop.signal.aborted) return
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return
    }
    this.#looking = this.#sendDue()
      .catch((error: unknown) => {
        this.#deps.logger.error('delayed events could not be read', { error })
        this.#arm(this.#deps.clock.now() + RETRY_MS)
      })
      .finally(() => {
        this.#looking = undefined
        if (this.#lookAgain) this.#look()
      })
  }

  /** Sends what is due, the longest waiting first, and arms the timer for what comes next. */
  async #sendDue(): Promise<void> {
    const { db, clock } = this.#deps
    this.#lookAgain = false
    this.#timer?.cancel()
    this.#armedFor = Infinity
    let now = clock.now()
    if (!this.#hasResumed) await db.commit({ entries: [], steps: [resumeMade(now)] })
    this.#hasResumed = true
    while (!this.#stop.signal.aborted) {
      if (this.#underWay.size >= AT_ONCE) await Promise.race(this.#underWay.values())
      now = clock.now()
      const row = await findDue(db, now, [...this.#underWay.keys()])
      if (row === undefined) break
      await this.#begin(row)
    }
    // By the time at which nothing else was due: what has become due since then is next.
    const next = await findNextSend(db, now)
    if (next !== undefined) this.expect(next)
  }

  /** Resolves when it is done, or takes too long for others to wait. */
  async #begin(row: DelayedEventRow): Promise<void> {
    const done = new AbortController()
    const sending = this.#send(row).finally(() => {
      this.#underWay.delete(row.user_id)
      done.abort()
      this.#look()
    })
    this.#underWay.set(row.user_id, sending)
    const patience = this.#deps.clock.sleep(PATIENCE_MS, done.signal).catch(() => undefined)
    await Promise.race([sending, patience])
  }

  /** Never rejects. */
  async #send(row: DelayedEventRow): Promise<void> {
    const { clock, logger } = this.#deps
    const { signal } = this.#stop
    try {
      await sendDelayed(this.#sendingDeps(), row, { sendTs: row.send_ts, signal })
      this.figures.sent++
      this.figures.lateMs = Math.max(0, clock.now() - row.send_ts)
    } catch (error) {
      // Cancelled, restarted or sent by request meanwhile.
      if (error instanceof CompanionRefused || signal.aborted) return
      if (error instanceof MatrixError && (await this.#fail(row, error))) return
      this.figures.fault++
      logger.error('a delayed event could not be sent; it is tried again', { user: row.user_id, error })
      await clock.sleep(RETRY_MS, signal).catch(() => undefined)
    }
  }

  /** Nothing is tried again that was refused: its sender finds out why, and decides. */
  async #fail(row: DelayedEventRow, error: MatrixError): Promise<boolean> {
    const { db, clock, logger } = this.#deps
    const outcome = { error: JSON.stringify(error.toBody()) }
    try {
      const step = finaliseDelayedEvent(row.delay_id, clock.now(), outcome, row.send_ts)
      await db.commit({ entries: [], steps: [step] })
      this.figures.refused++
      return true
    } catch (fault) {
      logger.error('the end of a delayed event could not be written', { user: row.user_id, error: fault })
      return false
    }
  }
}

/** One a process; nothing is sent before `start`. @param sendingDeps read when something is sent */
export function createDelayedSending(deps: Deps, sendingDeps: () => SendingDeps): DelayedSending {
  return new Sending(deps, sendingDeps)
}
