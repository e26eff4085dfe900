import { systemClock } from '@causeway/store/clock/system.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { silentLogger, type Logger } from '../ops/log.ts'
import { patientClock } from '../test-patience.ts'
import { openTestEngine, type TestEngine } from '../rooms/test-engine.ts'
import { createSearchIndex, type SearchIndex } from './search-index.ts'

// Test support: rooms with a search index over a real database.

export interface IndexFixture extends TestEngine {
  readonly index: SearchIndex
  /** Begins, and resolves when the index has everything. */
  fill(): Promise<void>
}

export async function openIndex(
  config: DatabaseConfig,
  { batch, logger = silentLogger }: { readonly batch?: number; readonly logger?: Logger } = {},
): Promise<IndexFixture> {
  const opened = await openTestEngine(config)
  const { engine, db, bus } = opened
  const deps = { db, bus, log: engine.log, clock: patientClock, logger, rooms: engine }
  const index = createSearchIndex(batch === undefined ? deps : { ...deps, batch })
  return {
    ...opened,
    index,
    async fill() {
      await index.start()
      while (!(await index.caughtUp()) || index.behind() > 0) await systemClock.sleep(10)
    },
    async [Symbol.asyncDispose]() {
      await index[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
    },
  }
}

/** How often the index itself, not what stands beside it, gives each event for a word: 1 for each that it should. */
export async function countHits(db: Database, word: string): Promise<{ hits: number; documents: number }> {
  const documents = await db.query<{ n: number }>(
    "SELECT count(*) AS n FROM search_documents WHERE ' ' || tokens || ' ' LIKE '% ' || ? || ' %'",
    [word],
  )
  const hits = await db.query<{ n: number }>(
    db.dialect === 'sqlite'
      ? 'SELECT count(*) AS n FROM search_index WHERE search_index MATCH ?'
      : `SELECT count(*) AS n FROM search_documents WHERE array_to_tsvector(string_to_array(
           tokens || ' †r' || CAST(room_nid AS TEXT) || ' †n' || CAST(event_nid / 8192 AS TEXT), ' '
         )) @@ CAST(CAST(? AS TEXT) AS tsquery)`,
    [word],
  )
  return { hits: Number(hits[0]!.n), documents: Number(documents[0]!.n) }
}
