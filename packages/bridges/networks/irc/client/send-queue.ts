import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { FloodLimits } from './options.ts'

/** A line waiting for its turn. Exactly one of the two is called. */
export interface QueuedLine {
  readonly line: string
  readonly onWritten: () => void
  readonly onDropped: () => void
}

const URGENT_LIMIT = 64

/** A queue whose `shift` does not move what stays behind. */
class Lane {
  #items: (QueuedLine | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: QueuedLine): void {
    this.#items.push(item)
  }

  shift(): QueuedLine | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    return item
  }
}

/**
 * Writes lines no faster than the server allows. Urgent ones (PONG) overtake the others and may overdraw the bucket by
 * one more burst. Stops while the socket's buffer is full.
 */
export class SendQueue {
  readonly #clock: Clock
  readonly #limits: FloodLimits
  readonly #write: (line: string) => boolean
  readonly #normal = new Lane()
  readonly #urgent = new Lane()
  #tokens: number
  #filledAt: number
  #timer: Timer | undefined
  #isBlocked = false
  #isPumping = false
  #isClosed = false

  /** `write` hands a line to the socket and says whether it takes more; call `resume` when it does again. */
  constructor(clock: Clock, limits: FloodLimits, write: (line: string) => boolean) {
    this.#clock = clock
    this.#limits = limits
    this.#write = write
    this.#tokens = limits.burst
    this.#filledAt = clock.monotonic()
  }

  /** Ordinary lines waiting. */
  get length(): number {
    return this.#normal.length
  }

  /** Takes a line in, or refuses it (false, nothing called) when too many wait or the queue is closed. */
  push(entry: QueuedLine, urgent = false): boolean {
    const lane = urgent ? this.#urgent : this.#normal
    if (this.#isClosed || lane.length >= (urgent ? URGENT_LIMIT : this.#limits.queueLimit)) return false
    lane.push(entry)
    this.#pump()
    return true
  }

  /** The socket has room again. */
  resume(): void {
    this.#isBlocked = false
    this.#pump()
  }

  /** Fills the bucket: servers do not count the lines of a registration. */
  refill(): void {
    this.#tokens = this.#limits.burst
    this.#filledAt = this.#clock.monotonic()
    this.#pump()
  }

  /** Drops what waits and takes nothing more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const lane of [this.#urgent, this.#normal]) {
      for (let entry = lane.shift(); entry !== undefined; entry = lane.shift()) entry.onDropped()
    }
  }

  #earn(): void {
    const now = this.#clock.monotonic()
    const more = ((now - this.#filledAt) / 1000) * this.#limits.perSecond
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + more)
    this.#filledAt = now
  }

  #next(): QueuedLine | undefined {
    if (this.#urgent.length > 0 && this.#tokens >= 1 - this.#limits.burst) return this.#urgent.shift()
    return this.#tokens >= 1 ? this.#normal.shift() : undefined
  }

  #pump(): void {
    // `onWritten` may push: that line must wait for its turn in this loop, not start a second one.
    if (this.#isPumping) return
    this.#isPumping = true
    this.#earn()
    while (!this.#isBlocked && !this.#isClosed) {
      const entry = this.#next()
      if (entry === undefined) break
      this.#tokens -= 1
      this.#isBlocked = !this.#write(entry.line)
      entry.onWritten()
    }
    this.#isPumping = false
    this.#arm()
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isBlocked || this.#isClosed) return
    if (this.#normal.length + this.#urgent.length === 0) return
    const wanted = this.#urgent.length > 0 ? 1 - this.#limits.burst : 1
    const waitMs = Math.max(1, Math.ceil(((wanted - this.#tokens) / this.#limits.perSecond) * 1000))
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, waitMs)
  }
}
