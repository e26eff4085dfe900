import type { Bus } from '@causeway/store/bus/local.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { Log } from '@causeway/store/log/log.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { startHistoryCursor } from './history-cursor.ts'
import { startLogCursor } from './log-cursor.ts'

export interface SearchDeps {
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: RoomEngine
  /** Events of one write; default 500. */
  readonly batch?: number
}

/** One of the two readers that fill the index. */
export interface IndexCursor extends AsyncDisposable {
  /** Numbers between where it stands and the end of what it reads. */
  behind(): number
  /** Resolves when all that was stored by now is in the index; or when the cursor has ended. */
  caughtUp(): Promise<void>
}

export interface IndexFigures {
  /** Documents that were written since the start. */
  documents: number
}

/** What messages are found by, kept in the background. */
export interface SearchIndex extends AsyncDisposable {
  /** Begins to follow the log: first of all, everything that the index does not have yet. */
  start(): Promise<void>
  /**
   * Waits until what was said by now can be found: at most a second, and not at all while the index is being filled.
   * Resolves with whether it can.
   */
  caughtUp(): Promise<boolean>
  /** Events, at most, that the index does not have yet. */
  behind(): number
  readonly figures: Readonly<IndexFigures>
}

const PATIENCE_MS = 1_000
/** So far behind it is a matter of more than a second. */
const FAR_BEHIND = 5_000

/** One a process. Nothing is read or written before `start`. */
export function createSearchIndex(deps: SearchDeps): SearchIndex {
  const figures: IndexFigures = { documents: 0 }
  let cursors: readonly IndexCursor[] = []
  const behind = (): number => cursors.reduce((sum, cursor) => sum + cursor.behind(), 0)
  return {
    figures,
    behind,
    async start() {
      cursors = await Promise.all([startLogCursor(deps, figures), startHistoryCursor(deps, figures)])
    },
    async caughtUp() {
      if (cursors.length === 0 || behind() > FAR_BEHIND) return false
      const all = Promise.all(cursors.map((cursor) => cursor.caughtUp())).then(() => true)
      const end = new AbortController()
      const patience = deps.clock.sleep(PATIENCE_MS, end.signal).then(
        () => false,
        () => false,
      )
      return Promise.race([all, patience]).finally(() => end.abort())
    },
    async [Symbol.asyncDispose]() {
      for (const cursor of cursors) await cursor[Symbol.asyncDispose]()
    },
  }
}
