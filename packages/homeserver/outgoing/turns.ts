import type { Clock, Random, Timer } from '@causeway/store/clock/clock.ts'

/** What is known of one receiver while something is to be sent to it. */
export interface Turn {
  /** Where it is reached: receivers of one place share its fate. */
  readonly place: string
  readonly phase: 'waiting' | 'sending' | 'asleep'
  /** Failed attempts since the last that succeeded. */
  readonly failures: number
  /** Wall clock: since when there has been something to be sent. */
  readonly since: number
  /** Wall clock of the next attempt, while asleep. */
  readonly retryTs: number | undefined
  readonly lastError: string | undefined
}

/** One receiver's turn, as whoever sends sees it. */
export interface Running {
  /** Woken since this was last asked: there may be more. */
  wasWoken(): boolean
  /** Something was taken: the receiver, and its place, can be reached. */
  succeeded(): void
  /** Kept between attempts, until one succeeds: how often what is under way was called wrong. */
  refusals: number
  readonly signal: AbortSignal
}

export interface TurnsOptions {
  readonly clock: Clock
  readonly random: Random
  /** Sends until nothing is left. Rejects when an attempt fails: another one follows after a pause. */
  readonly run: (key: number, running: Running) => Promise<void>
  /** Told of every failure before the pause; answers how long the receiver wants to be left alone at least. */
  readonly onFailure: (key: number, error: unknown, turn: Turn) => number | undefined
  /** Receivers that are sent something at the same time, and of these at one place. */
  readonly maxAtOnce: number
  readonly maxAtPlace: number
  /** Receivers remembered; the others have to be found by their tables. */
  readonly maxKeys: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
}

/** Whose turn it is to be sent something: one attempt at a time for each receiver, many receivers at once. */
export interface Turns extends AsyncDisposable {
  /** There may be something for a receiver. */
  wake(key: number, place: string): void
  turns(): Turn[]
  /** Receivers were left out for want of room since this was last asked. */
  overflowed(): boolean
  /** Resolves when nothing is being sent, nor about to be: what is left waits for its next attempt. */
  idle(): Promise<void>
}

interface State {
  place: string
  phase: Turn['phase']
  again: boolean
  failures: number
  refusals: number
  readonly since: number
  retryTs: number | undefined
  timer: Timer | undefined
  lastError: string | undefined
}

/** Receivers at one place. */
interface Place {
  readonly ready: Set<number>
  readonly asleep: Set<number>
  running: number
  /** Failures in a row, whoever's. */
  failures: number
}

/** Failures in a row after which a place counts as away; fewer may be the fault of one receiver. */
const AWAY_AFTER = 3

export function createTurns(options: TurnsOptions): Turns {
  return new FairTurns(options)
}

/**
 * A place that fails again and again is given fewer attempts at a time, down to one, and places take turns: one that
 * does not answer holds up nobody who is reached elsewhere. When it answers again, all that sleep there are woken.
 */
class FairTurns implements Turns {
  readonly #options: TurnsOptions
  readonly #states = new Map<number, State>()
  readonly #places = new Map<string, Place>()
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #overflowed = false
  #idleWaiters: (() => void)[] = []

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  wake(key: number, place: string): void {
    if (this.#stop.signal.aborted) return
    const state = this.#states.get(key)
    if (state !== undefined) {
      state.again = true
      if (state.place !== place) this.#move(key, state, place)
      return
    }
    if (this.#states.size >= this.#options.maxKeys) {
      this.#overflowed = true
      return
    }
    const since = this.#options.clock.now()
    const fresh = {
      again: false,
      failures: 0,
      refusals: 0,
      retryTs: undefined,
      timer: undefined,
      lastError: undefined,
    }
    this.#states.set(key, { place, phase: 'waiting', since, ...fresh })
    this.#placeOf(place).ready.add(key)
    this.#pump()
  }

  turns(): Turn[] {
    return [...this.#states.values()].map(({ place, phase, failures, since, retryTs, lastError }) => ({
      place,
      phase,
      failures,
      since,
      retryTs,
      lastError,
    }))
  }

  overflowed(): boolean {
    const overflowed = this.#overflowed
    this.#overflowed = false
    return overflowed
  }

  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    for (const { ready } of this.#places.values()) ready.clear()
    for (const state of this.#states.values()) state.timer?.cancel()
    await Promise.all(this.#running)
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && this.#places.values().every(({ ready }) => ready.size === 0)
  }

  #placeOf(name: string): Place {
    const known = this.#places.get(name)
    if (known !== undefined) return known
    const made: Place = { ready: new Set(), asleep: new Set(), running: 0, failures: 0 }
    this.#places.set(name, made)
    return made
  }

  #pump(): void {
    // A round gives each place one attempt; a place that was given one goes to the end.
    for (let isGiven = true; isGiven;) {
      isGiven = false
      for (const [name, place] of [...this.#places]) {
        if (this.#running.size >= this.#options.maxAtOnce || this.#stop.signal.aborted) return
        const [key] = place.ready
        if (key === undefined || place.running >= this.#widthOf(place)) continue
        place.ready.delete(key)
        this.#places.delete(name)
        this.#places.set(name, place)
        this.#start(key, this.#states.get(key)!, place)
        isGiven = true
      }
    }
  }

  #widthOf({ failures }: Place): number {
    return Math.max(1, Math.floor(this.#options.maxAtPlace / 2 ** failures))
  }

  /** It is reached somewhere else now, where it need not wait for what failed before. */
  #move(key: number, state: State, to: string): void {
    const from = state.place
    if (state.phase === 'asleep') this.#rouse(key, state)
    this.#places.get(from)?.ready.delete(key)
    state.place = to
    if (state.phase === 'waiting') this.#placeOf(to).ready.add(key)
    this.#leave(from)
    this.#pump()
  }

  #start(key: number, state: State, place: Place): void {
    const name = state.place
    place.running++
    const run = this.#run(key, state, place).finally(() => {
      this.#running.delete(run)
      place.running--
      this.#leave(name)
      this.#pump()
      if (this.#isIdle()) for (const resolve of this.#idleWaiters.splice(0)) resolve()
    })
    this.#running.add(run)
  }

  /** Nothing is to be sent to a place any more: it is forgotten. */
  #leave(name: string): void {
    const place = this.#places.get(name)
    if (place !== undefined && place.ready.size + place.asleep.size + place.running === 0)
      this.#places.delete(name)
  }

  /** Never rejects. */
  async #run(key: number, state: State, place: Place): Promise<void> {
    state.phase = 'sending'
    // It looks for itself: what woke it before is found.
    state.again = false
    const { signal } = this.#stop
    const running: Running = {
      wasWoken: () => {
        const { again } = state
        state.again = false
        return again
      },
      succeeded: () => this.#succeeded(state, place),
      get refusals() {
        return state.refusals
      },
      set refusals(count) {
        state.refusals = count
      },
      signal,
    }
    try {
      await this.#options.run(key, running)
      if (state.again) this.#wait(key, state)
      else this.#states.delete(key)
    } catch (error) {
      if (!signal.aborted) this.#failed(key, state, place, error)
    }
  }

  #wait(key: number, state: State): void {
    state.phase = 'waiting'
    state.retryTs = undefined
    this.#placeOf(state.place).ready.add(key)
  }

  #succeeded(state: State, place: Place): void {
    state.failures = 0
    state.refusals = 0
    state.lastError = undefined
    const wasAway = place.failures >= AWAY_AFTER
    place.failures = 0
    if (wasAway) for (const key of [...place.asleep]) this.#rouse(key, this.#states.get(key)!)
  }

  #failed(key: number, state: State, place: Place, error: unknown): void {
    const { clock, random, firstPauseMs, longestPauseMs, onFailure } = this.#options
    state.failures++
    place.failures = Math.min(place.failures + 1, 20)
    state.lastError = error instanceof Error ? error.message : String(error)
    state.phase = 'asleep'
    const longest = Math.min(firstPauseMs * 2 ** Math.min(state.failures - 1, 20), longestPauseMs)
    const least = onFailure(key, error, state) ?? 0
    const pause = Math.max(least, longest / 2) + (longest / 2) * random.fraction()
    state.retryTs = clock.now() + pause
    this.#placeOf(state.place).asleep.add(key)
    state.timer = clock.setTimeout(() => this.#rouse(key, state), pause, { unref: true })
  }

  #rouse(key: number, state: State): void {
    if (state.phase !== 'asleep' || this.#stop.signal.aborted) return
    state.timer?.cancel()
    this.#placeOf(state.place).asleep.delete(key)
    this.#wait(key, state)
    this.#pump()
  }
}
