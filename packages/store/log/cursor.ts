import type { Bus } from '../bus/local.ts'
import type { Clock } from '../clock/clock.ts'
import type { Database, Statement, TableShape, Write } from '../db/database.ts'
import type { LogEntry } from './entry.ts'
import type { Log } from './log.ts'

/** Entries as a reader of the tables finds them: all that are left after a position, up to `through`. */
export interface EntryBatch {
  readonly entries: readonly LogEntry[]
  /** Nothing up to here is missing from `entries`; above the position asked from. */
  readonly through: number
}

/** Reads the log from the tables, for cursors that fell behind the ring. */
export type ReadEntries = (after: number, upTo: number, limit: number) => Promise<EntryBatch>

/**
 * Durable effects, committed in one write with the cursor's position. Nothing returned means that there are
 * none to keep: the position is then saved now and then, and after a crash the entries come again.
 */
export type CursorEffects = Partial<Write>

export interface CursorOptions {
  /** The row that it owns in `cursors`. */
  readonly name: string
  /**
   * Acts on entries in the order of positions, at least once each: exactly once as far as its effects are
   * those it returns. A failure is reported, and the same entries come again after a pause.
   */
  readonly handle: (entries: readonly LogEntry[], signal: AbortSignal) => Promise<CursorEffects | void>
  readonly read: ReadEntries
  /** Where a cursor begins that is new: default the head of the log. */
  readonly from?: number
  /** Entries handed over at a time. Default 200. */
  readonly maxBatch?: number
  /** Entries without effects after which the position is saved all the same. Default 1,000. */
  readonly saveEvery?: number
  /** Told of every failure of `handle`, of the reader and of the database, before the pause. */
  readonly onError: (error: unknown) => void
}

export interface CursorDeps {
  readonly db: Database
  readonly log: Pick<Log, 'head' | 'ring'>
  readonly bus: Bus
  readonly clock: Clock
}

/** A reader of the log that runs until it is disposed of. */
export interface Cursor extends AsyncDisposable {
  /** Everything up to here was handled. */
  position(): number
  /** Resolves when everything up to `position` was handled; rejects when the cursor ends before. */
  reached(position: number): Promise<void>
  /** Resolves when it was disposed of; rejects with `CursorTakenOver`. */
  readonly ended: Promise<void>
}

/** Another cursor of this name has moved the position: this one has stopped without a further effect. */
export class CursorTakenOver extends Error {
  override readonly name = 'CursorTakenOver'
}

export const CURSORS: TableShape = {
  name: 'cursors',
  columns: [
    { name: 'name', type: 'text' },
    { name: 'position', type: 'int' },
  ],
  onConflict: { key: ['name'], action: 'ignore' },
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 60_000

async function loadPosition(db: Database, name: string, from: number): Promise<number> {
  await db.commit({ entries: [], steps: [{ into: CURSORS, values: [name, from] }] })
  const rows = await db.query('SELECT position FROM cursors WHERE name = ?', [name])
  return Number(rows[0]!['position'])
}

class RunningCursor implements Cursor {
  readonly ended: Promise<void>
  readonly #options: CursorOptions
  readonly #deps: CursorDeps
  readonly #stop = new AbortController()
  readonly #unsubscribe: () => void
  /** Handled up to here, and saved up to there: `#saved` is what the row holds. */
  #position: number
  #saved: number
  #unsavedEntries = 0
  /** Where a commit would have moved the row of which we do not know whether it took place. */
  #unsure: number | undefined
  #wake: (() => void) | undefined
  #waiters: { position: number; resolve: () => void; reject: (error: Error) => void }[] = []

  constructor(deps: CursorDeps, options: CursorOptions, position: number) {
    this.#deps = deps
    this.#options = options
    this.#position = position
    this.#saved = position
    this.#unsubscribe = deps.bus.subscribe(() => this.#wake?.())
    this.ended = this.#run()
    // Whoever does not look at `ended` learns of its failure by onError.
    this.ended.catch(() => undefined)
  }

  position(): number {
    return this.#position
  }

  reached(position: number): Promise<void> {
    if (this.#position >= position) return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (this.#stop.signal.aborted) reject(new Error('The cursor has ended'))
      else this.#waiters.push({ position, resolve, reject })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.ended.catch(() => undefined)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    signal.addEventListener('abort', () => this.#wake?.())
    let pause = FIRST_PAUSE_MS
    try {
      while (!signal.aborted) {
        try {
          await this.#advance()
          pause = FIRST_PAUSE_MS
        } catch (error) {
          if (signal.aborted) break
          this.#options.onError(error)
          if (error instanceof CursorTakenOver) throw error
          await this.#deps.clock.sleep(pause, signal).catch(() => undefined)
          pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
        }
      }
      await this.#save([]).catch((error: unknown) => this.#options.onError(error))
    } finally {
      this.#stop.abort()
      this.#unsubscribe()
      for (const { reject } of this.#waiters.splice(0)) reject(new Error('The cursor has ended'))
    }
  }

  /** Waits for something to do, and does one batch. */
  async #advance(): Promise<void> {
    // Armed before the position is read: an announcement in between is not missed.
    const { promise: woken, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    if (this.#deps.log.head() <= this.#position) {
      if (this.#stop.signal.aborted) return
      await woken
      return
    }
    if (this.#unsure !== undefined) {
      await this.#findOut(this.#unsure)
      return
    }
    const { entries, through } = await this.#next()
    const effects = entries.length === 0 ? undefined : await this.#options.handle(entries, this.#stop.signal)
    this.#unsavedEntries += entries.length
    if (effects != null) await this.#commit(effects, through)
    this.#moveTo(through)
    if (this.#unsavedEntries >= (this.#options.saveEvery ?? 1000)) await this.#save([])
  }

  async #next(): Promise<EntryBatch> {
    const limit = this.#options.maxBatch ?? 200
    const head = this.#deps.log.head()
    const held = this.#deps.log.ring.since(this.#position, limit)
    if (held !== 'fell-behind') {
      // Of purged rooms nothing is left.
      const through = held.at(-1)?.position ?? Math.min(head, this.#position + limit)
      return { entries: held, through }
    }
    const batch = await this.#options.read(this.#position, this.#deps.log.head(), limit)
    if (batch.through <= this.#position) {
      throw new Error(`The log was read from ${this.#position} without getting any further`)
    }
    return batch
  }

  #moveTo(position: number): void {
    this.#position = position
    const [done, waiting] = [this.#waiters.filter((waiter) => waiter.position <= position), this.#waiters]
    if (done.length === 0) return
    this.#waiters = waiting.filter((waiter) => waiter.position > position)
    for (const { resolve } of done) resolve()
  }

  /** A failed commit may have been made all the same (the connection was lost during it): the row tells. */
  async #findOut(attempted: number): Promise<void> {
    const rows = await this.#deps.db.query('SELECT position FROM cursors WHERE name = ?', [
      this.#options.name,
    ])
    const actual = Number(rows[0]?.['position'])
    if (actual !== this.#saved && actual !== attempted) throw this.#takenOver()
    this.#unsure = undefined
    if (actual === this.#saved) return
    this.#saved = actual
    this.#moveTo(Math.max(actual, this.#position))
  }

  #takenOver(): CursorTakenOver {
    return new CursorTakenOver(`Another process has moved the cursor ${this.#options.name}`)
  }

  async #save(steps: Write['steps']): Promise<void> {
    if (this.#saved < this.#position) await this.#commit({ steps }, this.#position)
  }

  /** The move is a precondition of the whole write: a second cursor of this name has no effect. */
  async #commit(effects: CursorEffects, through: number): Promise<void> {
    const move: Statement = {
      sql: 'UPDATE cursors SET position = ? WHERE name = ? AND position = ?',
      params: [through, this.#options.name, this.#saved],
      expectRows: 1,
    }
    this.#unsure = through
    const write = { ...effects, entries: effects.entries ?? [], steps: [move, ...(effects.steps ?? [])] }
    const result = await this.#deps.db.commit(write)
    this.#unsure = undefined
    if (!result.ok && result.step === 0) throw this.#takenOver()
    if (!result.ok) {
      const step = `${result.step - 1}: ${result.reason}`
      throw new Error(`The effects of cursor ${this.#options.name} were refused (step ${step})`)
    }
    this.#saved = through
    this.#unsavedEntries = 0
  }
}

/** Starts a named cursor where it durably stands. @throws when the database fails at that */
export async function runCursor(deps: CursorDeps, options: CursorOptions): Promise<Cursor> {
  const position = await loadPosition(deps.db, options.name, options.from ?? deps.log.head())
  return new RunningCursor(deps, options, position)
}
