import type { Timer } from '@causeway/store/clock/clock.ts'
import { findDueDigest, findNextDigest } from '@causeway/store/tables/digests.ts'
import { sendDigest, type DigestOutcome, type SendDigestDeps } from './send-digest.ts'

export type MailOutcome = Extract<DigestOutcome, 'sent' | 'refused'> | 'unreachable' | 'fault'

/** Tells people by e-mail of what they missed: one timer, for the next turn of all. */
export interface Digests extends AsyncDisposable {
  /** Counts since the process started, by outcome. */
  readonly outcomes: ReadonlyMap<MailOutcome, number>
  /** Takes up what waited before the server stopped. */
  start(): void
  /** Somebody's turn is at this time, or before. */
  expect(dueTs: number): void
  /** Resolves when nothing is being sent and nothing is due. */
  idle(): Promise<void>
}

/** The clock of the machine may be set: the timer never waits longer before it looks again. */
const LOOK_EVERY_MS = 60_000
/** People who are looked at at once; the mail server gets as many mails. */
const AT_ONCE = 4
const FIRST_PAUSE_MS = 15_000
const LONGEST_PAUSE_MS = 15 * 60_000

class RunningDigests implements Digests {
  readonly outcomes = new Map<MailOutcome, number>()
  readonly #deps: SendDigestDeps
  readonly #underWay = new Map<number, Promise<void>>()
  #timer: Timer | undefined
  #armedFor = Infinity
  #looking: Promise<void> | undefined
  #lookAgain = false
  #stopped = false
  /** Failures in a row, whoever's mail it was; nothing is tried before `#notBefore`. */
  #failures = 0
  #notBefore = 0

  constructor(deps: SendDigestDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#look()
  }

  expect(dueTs: number): void {
    const at = Math.max(dueTs, this.#notBefore)
    if (at < this.#armedFor) this.#arm(at)
  }

  async idle(): Promise<void> {
    while (this.#looking !== undefined || this.#underWay.size > 0) {
      await this.#looking
      await Promise.all(this.#underWay.values())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.idle()
  }

  #arm(at: number): void {
    this.#timer?.cancel()
    if (this.#stopped) return
    const { clock } = this.#deps
    this.#armedFor = at
    const wait = Math.min(Math.max(0, at - clock.now()), LOOK_EVERY_MS)
    this.#timer = clock.setTimeout(() => this.#look(), wait, { unref: true })
  }

  #look(): void {
    if (this.#stopped) return
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return
    }
    this.#looking = this.#sendDue()
      .catch((error: unknown) => {
        this.#deps.logger.error('who is to be told by e-mail cannot be read', { error })
        this.#pause()
      })
      .finally(() => {
        this.#looking = undefined
        if (this.#lookAgain) this.#look()
      })
  }

  async #sendDue(): Promise<void> {
    const { clock, rooms } = this.#deps
    this.#lookAgain = false
    this.#timer?.cancel()
    this.#armedFor = Infinity
    let now = clock.now()
    while (!this.#stopped && now >= this.#notBefore) {
      if (this.#underWay.size >= AT_ONCE) await Promise.race(this.#underWay.values())
      const turn = await findDueDigest(rooms.db, now, [...this.#underWay.keys()])
      if (turn === undefined) break
      this.#begin(turn.pusher_nid)
      now = clock.now()
    }
    const next = now < this.#notBefore ? this.#notBefore : await findNextDigest(rooms.db, now)
    if (next !== undefined) this.expect(next)
  }

  #begin(nid: number): void {
    const work = this.#send(nid).finally(() => {
      this.#underWay.delete(nid)
      this.#look()
    })
    this.#underWay.set(nid, work)
  }

  /** Never rejects. */
  async #send(nid: number): Promise<void> {
    try {
      const outcome = await sendDigest(this.#deps, nid)
      if (outcome !== 'sent' && outcome !== 'refused') return
      this.#count(outcome)
      // Refused or not, it answered.
      this.#failures = 0
    } catch (error) {
      this.#count(isOurFault(error) ? 'fault' : 'unreachable')
      this.#pause()
      this.#deps.logger.warn('a mail of missed messages could not be sent; it is tried again', { error })
    }
  }

  #count(outcome: MailOutcome): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  /** Nobody's mail is tried for a while, longer with each failure in a row. */
  #pause(): void {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10), LONGEST_PAUSE_MS)
    this.#failures++
    this.#notBefore = this.#deps.clock.now() + pause
    this.#arm(this.#notBefore)
  }
}

/** The program that sends mail marks what went wrong on the way with a code. */
function isOurFault(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code !== 'string'
}

/** One a process; nothing is sent before `start`. */
export function createDigests(deps: SendDigestDeps): Digests {
  return new RunningDigests(deps)
}
