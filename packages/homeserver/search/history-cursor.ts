import { CURSORS } from '@causeway/store/log/cursor.ts'
import { listHistoricalEventRows } from '@causeway/store/tables/events.ts'
import { findHistoryEnd, indexSteps } from '@causeway/store/tables/search.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import { createProgress, type Progress } from './progress.ts'
import { documentOf } from './searchable-text.ts'
import type { IndexCursor, IndexFigures, SearchDeps } from './search-index.ts'

export const HISTORY_CURSOR = 'search_history'
/** Events of one write. */
const BATCH = 500
/** Nobody announces what was fetched of a room's past: it is looked for at every search, and this often. */
const LOOK_EVERY_MS = 60_000
const RETRY_MS = 5_000
const LONGEST_PAUSE_MS = 100

async function loadPosition({ db }: SearchDeps): Promise<number> {
  await db.commit({ entries: [], steps: [{ into: CURSORS, values: [HISTORY_CURSOR, 0] }] })
  const rows = await db.query('SELECT position FROM cursors WHERE name = ?', [HISTORY_CURSOR])
  return Number(rows[0]!['position'])
}

/** Puts into the index what comes by the second, decreasing sequence: a room's past, fetched from other servers. */
export async function startHistoryCursor(deps: SearchDeps, figures: IndexFigures): Promise<IndexCursor> {
  const cursor = new HistoryCursor(deps, figures, await loadPosition(deps))
  cursor.begin()
  return cursor
}

class HistoryCursor implements IndexCursor {
  readonly #deps: SearchDeps
  readonly #figures: IndexFigures
  readonly #stop = new AbortController()
  readonly #progress: Progress
  /** Everything from −1 down to here is in the index; the last number that was found to be handed out. */
  #position: number
  #end: number
  #looking: Promise<void> | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(deps: SearchDeps, figures: IndexFigures, position: number) {
    this.#deps = deps
    this.#figures = figures
    this.#position = position
    this.#end = position
    this.#progress = createProgress(deps.logger, 'history')
  }

  begin(): void {
    this.#running = this.#run()
  }

  behind(): number {
    return this.#position - this.#end
  }

  async caughtUp(): Promise<void> {
    await this.#look().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#looking?.catch(() => undefined)
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock, logger } = this.#deps
    const { signal } = this.#stop
    while (!signal.aborted) {
      let pause = LOOK_EVERY_MS
      try {
        await this.#look()
      } catch (error) {
        logger.error('history cannot be put into the search index', { error })
        pause = RETRY_MS
      }
      await clock.sleep(pause, signal).catch(() => undefined)
    }
  }

  /** One at a time; whoever comes meanwhile has a look of their own afterwards, since more may have been stored. */
  async #look(): Promise<void> {
    const before = this.#looking
    const mine = (async () => {
      await before?.catch(() => undefined)
      this.#end = await findHistoryEnd(this.#deps.db)
      while (this.#position > this.#end && !this.#stop.signal.aborted) await this.#advance()
    })()
    this.#looking = mine
    await mine
  }

  async #advance(): Promise<void> {
    const { db, clock, batch = BATCH } = this.#deps
    const began = clock.monotonic()
    this.#progress.at(-this.#position, -this.#end)
    const rows = await listHistoricalEventRows(db, this.#position, this.#end, batch)
    const through = rows.length < batch ? this.#end : rows.at(-1)!.nid
    const documents = rows.flatMap((row) => {
      const { type, state_key: stateKey, content } = pduOfRow(row)
      return (
        documentOf({ nid: row.nid, roomNid: row.room_nid, flags: row.flags, type, stateKey, content }) ?? []
      )
    })
    const move = {
      sql: 'UPDATE cursors SET position = ? WHERE name = ? AND position = ?',
      params: [through, HISTORY_CURSOR, this.#position],
      expectRows: 1,
    }
    const result = await db.commit({ entries: [], steps: [move, ...indexSteps(documents)] })
    if (!result.ok) {
      this.#position = await loadPosition(this.#deps)
      throw new Error(`A write of the cursor ${HISTORY_CURSOR} was refused at step ${result.step}`)
    }
    this.#figures.documents += documents.length
    this.#position = through
    if (this.behind() === 0) return
    await clock
      .sleep(Math.min(clock.monotonic() - began, LONGEST_PAUSE_MS), this.#stop.signal)
      .catch(() => undefined)
  }
}
