import type { Clock, Timer } from '@causeway/store/clock/clock.ts'

/** What became of a line. */
export type SendOutcome =
  /** The server sent it back: it is out, under this id where the server gives ids. */
  | { readonly kind: 'echoed'; readonly msgid: string | undefined; readonly time: number | undefined }
  /** The server has worked through it and refused nothing (it answered what we sent behind it). */
  | { readonly kind: 'accepted' }
  /** Handed to the socket, and no proof was asked for (`proveByPing: false`). */
  | { readonly kind: 'written' }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string }
  /** Bytes left, and then the connection broke or no proof came: it may have been delivered or not. */
  | { readonly kind: 'uncertain'; readonly reason: 'disconnected' | 'no-answer' }
  /** Not a byte left: trying again cannot double it. */
  | { readonly kind: 'unsent'; readonly reason: UnsentReason }

export type UnsentReason = 'not-connected' | 'queue-full' | 'too-long' | 'invalid' | 'unsupported'

/** How a line's fate is learned: by its label, by the next echo for its target, by the answer to a PING behind it. */
export type Proof = 'label' | 'echo' | 'ping' | 'none'

/** A line on its way. */
export interface Delivery {
  readonly id: number
  readonly command: string
  /** Folded. */
  readonly target: string
  readonly proof: Proof
  readonly label: string
  /** Kept only where an echo must be recognized by it. */
  readonly text: string | undefined
  /** Set once the line was handed to the socket. */
  deadline: number | undefined
  readonly resolve: (outcome: SendOutcome) => void
}

/** PINGs after this many unproven lines at the latest. */
const LINES_PER_PING = 16
const TEXT_COMMANDS = new Set(['PRIVMSG', 'NOTICE', 'TAGMSG'])

/** Numerics by which servers refuse a text; others about the same target belong to other commands. */
const TEXT_REFUSALS = new Set(
  '401 402 403 404 407 408 411 412 413 414 415 439 442 477 480 486 487 489 492 531 716'.split(' '),
)

/** The lines whose fate is not known yet, oldest first. */
export class Deliveries {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #prefix: string
  readonly #open = new Map<number, Delivery>()
  #lastId = 0
  #unproven = 0
  #lastWritten = 0
  #timer: Timer | undefined

  /** `prefix` keeps labels and PINGs of this connection apart from all others. */
  constructor(clock: Clock, timeoutMs: number, prefix: string) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#prefix = prefix
  }

  begin(
    line: { command: string; target: string; text: string; proof: Proof },
    resolve: Delivery['resolve'],
  ): Delivery {
    const id = ++this.#lastId
    const { command, target, proof } = line
    const label = `${this.#prefix}${id.toString(36)}`
    const text = proof === 'echo' ? line.text : undefined
    const delivery: Delivery = { id, command, target, proof, label, text, deadline: undefined, resolve }
    this.#open.set(id, delivery)
    return delivery
  }

  settle(delivery: Delivery, outcome: SendOutcome): void {
    if (this.#open.delete(delivery.id)) delivery.resolve(outcome)
  }

  /** The line was handed to the socket: its time runs. */
  written(delivery: Delivery): void {
    if (delivery.proof === 'none') return this.settle(delivery, { kind: 'written' })
    delivery.deadline = this.#clock.monotonic() + this.#timeoutMs
    if (delivery.proof === 'ping') {
      this.#unproven++
      this.#lastWritten = delivery.id
    }
    this.#arm()
  }

  /** The token to PING with now, or `undefined` if no PING is due. */
  pingDue(isQueueEmpty: boolean): string | undefined {
    if (this.#unproven === 0 || (!isQueueEmpty && this.#unproven < LINES_PER_PING)) return undefined
    this.#unproven = 0
    return `${this.#prefix}${this.#lastWritten.toString(36)}`
  }

  /** Everything up to the PING with this token is through. */
  ponged(token: string): void {
    if (!token.startsWith(this.#prefix)) return
    const upTo = Number.parseInt(token.slice(this.#prefix.length), 36)
    for (const delivery of this.#open.values()) {
      if (delivery.id > upTo) break
      if (delivery.proof === 'ping' && delivery.deadline !== undefined)
        this.settle(delivery, { kind: 'accepted' })
    }
  }

  findLabel(label: string | undefined): Delivery | undefined {
    if (label === undefined || !label.startsWith(this.#prefix)) return undefined
    return this.#open.get(Number.parseInt(label.slice(this.#prefix.length), 36))
  }

  /**
   * The line an unlabelled echo stands for: the oldest with this text, or else (the server may have changed it) the
   * oldest to this target, for echoes come in the order of the lines.
   */
  findEcho(command: string, target: string, text: string): Delivery | undefined {
    const fits = (one: Delivery): boolean =>
      one.proof === 'echo' && one.command === command && one.target === target
    return this.#find((one) => fits(one) && one.text === text) ?? this.#find(fits)
  }

  /** The oldest line an unlabelled numeric can be about. */
  findRefused(code: string, targets: readonly string[]): Delivery | undefined {
    const isTextCode = TEXT_REFUSALS.has(code)
    return this.#find(
      (one) =>
        one.proof !== 'label' &&
        targets.includes(one.target) &&
        (!TEXT_COMMANDS.has(one.command) || isTextCode),
    )
  }

  /** The connection is gone. What was never written is the queue's to report. */
  close(): void {
    this.#timer?.cancel()
    for (const delivery of this.#open.values()) {
      if (delivery.deadline !== undefined)
        this.settle(delivery, { kind: 'uncertain', reason: 'disconnected' })
    }
  }

  #find(matches: (delivery: Delivery) => boolean): Delivery | undefined {
    for (const delivery of this.#open.values()) {
      // Lines are written in order, so nothing behind the first unwritten one can have an answer.
      if (delivery.deadline === undefined) return undefined
      if (matches(delivery)) return delivery
    }
    return undefined
  }

  #arm(): void {
    if (this.#timer !== undefined) return
    const oldest = this.#open.values().next().value
    if (oldest?.deadline === undefined) return
    const waitMs = Math.max(1, Math.ceil(oldest.deadline - this.#clock.monotonic()))
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.#expire()
    }, waitMs)
  }

  #expire(): void {
    const now = this.#clock.monotonic()
    for (const delivery of this.#open.values()) {
      if (delivery.deadline === undefined || delivery.deadline > now) break
      this.settle(delivery, { kind: 'uncertain', reason: 'no-answer' })
    }
    this.#arm()
  }
}
