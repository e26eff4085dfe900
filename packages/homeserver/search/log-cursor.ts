import { runCursor, type CursorEffects, type ReadEntries } from '@causeway/store/log/cursor.ts'
import { createGathering } from '@causeway/store/log/gathering.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import { indexSteps } from '@causeway/store/tables/search.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'
import { createProgress } from './progress.ts'
import { documentOf } from './searchable-text.ts'
import type { IndexCursor, IndexFigures, SearchDeps } from './search-index.ts'

export const LOG_CURSOR = 'search'
/** Entries of one write. */
const BATCH = 500
/** How long a message waits for others to share a write with, when nobody searches. */
const PAUSE_MS = 1_000
/** While much is to be done others get the database for as long as a write took, but no longer than this. */
const LONGEST_PAUSE_MS = 100

function readEntries(rooms: RoomEngine): ReadEntries {
  return async (after, upTo, limit) => {
    const rows = await listLogEventRows(rooms.db, after, upTo, limit)
    const entries: LogEntry[] = []
    for (const row of rows) {
      const event = storedEventOfRow(await getRoomByNid(rooms, row.room_nid), row)
      entries.push({ kind: 'event', position: row.nid, roomId: event.roomId, event })
    }
    return { entries, through: rows.length < limit ? upTo : rows.at(-1)!.nid }
  }
}

/** Puts into the index what comes by the log, in writes of their own; a new index begins with the first event. */
export async function startLogCursor(deps: SearchDeps, figures: IndexFigures): Promise<IndexCursor> {
  const { log, clock, logger, batch = BATCH } = deps
  const gathering = createGathering(clock, { pauseMs: PAUSE_MS, enough: batch })
  const progress = createProgress(logger, 'messages')
  let last = 0
  const handle = async (
    entries: readonly LogEntry[],
    signal: AbortSignal,
  ): Promise<CursorEffects | undefined> => {
    progress.at(entries[0]!.position, log.head())
    const documents = entries.flatMap((entry) =>
      entry.kind === 'event' ? (documentOf(entry.event) ?? []) : [],
    )
    if (documents.length === 0) return undefined
    await gathering.beforeHandling(entries, signal)
    // The write before this one, and with it what was waited for it, has come to an end by now.
    if (entries.length === batch && last !== 0) {
      await gathering.wait(Math.min(clock.monotonic() - last, LONGEST_PAUSE_MS), signal)
    }
    last = clock.monotonic()
    figures.documents += documents.length
    return { steps: indexSteps(documents) }
  }
  const cursor = await runCursor(deps, {
    name: LOG_CURSOR,
    from: 0,
    maxBatch: batch,
    read: readEntries(deps.rooms),
    handle,
    onError: (error) => logger.error('messages cannot be put into the search index', { error }),
  })
  return {
    behind: () => log.head() - cursor.position(),
    async caughtUp() {
      const head = log.head()
      gathering.hurry(head)
      await cursor.reached(head).catch(() => undefined)
    },
    [Symbol.asyncDispose]: () => cursor[Symbol.asyncDispose](),
  }
}
