import type { Bus } from '@causeway/store/bus/local.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { runCursor, type Cursor, type CursorEffects, type ReadEntries } from '@causeway/store/log/cursor.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { deleteAppserviceMembersOf } from '@causeway/store/tables/appservices.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { isShown } from '../rooms/read-events.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'
import type { KnownAppservice } from './known.ts'
import type { AppserviceQueue } from './queue.ts'
import { isUserOf, type AppserviceRegistry } from './registry.ts'
import type { RoomInterest } from './room-interest.ts'

export interface DispatchDeps {
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly registry: AppserviceRegistry
  readonly interest: RoomInterest
  /** Those that are sent anything. Known ones without a queue get nothing. */
  readonly queues: ReadonlyMap<KnownAppservice, AppserviceQueue>
  /** Told of receipts in rooms, after the events before them were put. */
  readonly onEntry?: (entry: LogEntry) => void
}

export const CURSOR_NAME = 'appservices'

/** Events after a position, from the table. Receipts and the like are best effort: only from the log in memory. */
function entryReader(rooms: RoomEngine): ReadEntries {
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

/**
 * Reads the log once, for all appservices: decides which events each of them wants and puts those into its
 * queue, in one write with the position. Hidden events (rejected, soft-failed) concern nobody.
 */
export async function startDispatch(deps: DispatchDeps): Promise<Cursor> {
  const started = Promise.withResolvers<Cursor>()
  const dispatcher = new Dispatcher(deps, started.promise)
  const cursor = await runCursor(deps, {
    name: CURSOR_NAME,
    read: entryReader(deps.rooms),
    handle: (entries) => dispatcher.handle(entries),
    onError: (error) => deps.logger.error('events cannot be put into the queues of appservices', { error }),
  })
  started.resolve(cursor)
  return cursor
}

class Dispatcher {
  readonly #deps: DispatchDeps
  readonly #cursor: Promise<Cursor>
  #handled = 0

  constructor(deps: DispatchDeps, cursor: Promise<Cursor>) {
    this.#deps = deps
    this.#cursor = cursor
  }

  async handle(entries: readonly LogEntry[]): Promise<CursorEffects | void> {
    const { interest, queues, onEntry } = this.#deps
    const first = entries[0]!.position
    const through = entries.at(-1)!.position
    if (first <= this.#handled || this.#handled === 0) {
      // The same entries again: what was noted of them did not come to pass.
      interest.clear()
      for (const queue of queues.values()) await queue.reload()
    }
    this.#handled = through
    const events = entries.flatMap((entry) =>
      entry.kind === 'event' && isShown(entry.event) ? [entry.event] : [],
    )
    const steps = events.length === 0 ? [] : await this.#dispatch(events, through)
    // Of a purged room there may be members who were noted after its own rows had gone.
    for (const entry of entries)
      if (entry.kind === 'purge') steps.push(deleteAppserviceMembersOf(entry.roomNid))
    if (onEntry !== undefined) for (const entry of entries) onEntry(entry)
    return steps.length === 0 ? undefined : { steps }
  }

  async #dispatch(events: readonly StoredEvent[], through: number): Promise<Step[]> {
    const { interest, queues } = this.#deps
    await interest.begin(new Map(events.map(({ roomNid, roomId }) => [roomNid, roomId])))
    const wanted = new Map<KnownAppservice, StoredEvent[]>()
    for (const event of events) {
      interest.apply(event)
      if (event.type === 'm.room.canonical_alias') interest.aliasesChanged(event.roomNid)
      for (const known of queues.keys()) {
        if (!(await this.#wants(known, event))) continue
        const list = wanted.get(known)
        if (list === undefined) wanted.set(known, [event])
        else list.push(event)
      }
    }
    const steps = interest.steps()
    for (const [known, list] of wanted) steps.push(...(await queues.get(known)!.put(list, through)))
    if (wanted.size > 0) this.#confirmLater([...wanted.keys()], through)
    return steps
  }

  #wants(known: KnownAppservice, event: StoredEvent): Promise<boolean> | boolean {
    const { registry, interest } = this.#deps
    const { sender, stateKey } = event
    if (isUserOf(registry, known.appservice, sender)) return true
    if (stateKey !== undefined && isUserOf(registry, known.appservice, stateKey)) return true
    return interest.wants(known, event)
  }

  /** Tells the queues once the write is durable. When the server stops before, they read it at the next start. */
  #confirmLater(wanting: readonly KnownAppservice[], through: number): void {
    const { queues } = this.#deps
    this.#cursor
      .then((cursor) => cursor.reached(through))
      .then(() => {
        for (const known of wanting) queues.get(known)!.confirm(through)
      })
      .catch(() => undefined)
  }
}
