import type { Bus } from '@causeway/store/bus/local.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { runCursor, type Cursor, type CursorEffects } from '@causeway/store/log/cursor.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import type { EntryKind, Log } from '@causeway/store/log/log.ts'
import { deleteAppserviceMembersOf } from '@causeway/store/tables/appservices.ts'
import type { Logger } from '../ops/log.ts'
import { isShown } from '../rooms/read-events.ts'
import { EncryptionInterest, type EncryptionDeps } from './encryption-interest.ts'
import type { KnownAppservice } from './known.ts'
import type { AppserviceQueue } from './queue.ts'
import type { PlacedItem, QueueItem } from './queue-item.ts'
import { readAppserviceEntries } from './read-entries.ts'
import { isUserOf } from './registry.ts'

export interface DispatchDeps extends EncryptionDeps {
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly logger: Logger
  /** Those that are sent anything. Known ones without a queue get nothing. */
  readonly queues: ReadonlyMap<KnownAppservice, AppserviceQueue>
  /** Told of receipts in rooms, after the events before them were put. */
  readonly onEntry?: (entry: LogEntry) => void
}

export const CURSOR_NAME = 'appservices'

/**
 * Reads the log once, for all appservices: decides what each of them wants and puts that into its
 * queue, in one write with the position. Hidden events (rejected, soft-failed) concern nobody.
 */
export async function startDispatch(deps: DispatchDeps): Promise<Cursor> {
  const started = Promise.withResolvers<Cursor>()
  const dispatcher = new Dispatcher(deps, started.promise)
  const cursor = await runCursor(deps, {
    name: CURSOR_NAME,
    read: readAppserviceEntries(deps.rooms, dispatcher.wantsEncryption),
    handle: (entries) => dispatcher.handle(entries),
    onError: (error) => deps.logger.error('events cannot be put into the queues of appservices', { error }),
  })
  started.resolve(cursor)
  return cursor
}

/** What the appservices that asked for encryption are told of, beside events. */
const ENCRYPTION_KINDS: ReadonlySet<EntryKind> = new Set(['to_device', 'device_list', 'room_whole'])
const NOBODY: ReadonlySet<KnownAppservice> = new Set()

function roomOf(entry: LogEntry): [number, string][] {
  if (entry.kind === 'event') return [[entry.event.roomNid, entry.roomId]]
  return entry.kind === 'room_whole' ? [[entry.roomNid, entry.roomId]] : []
}

class Dispatcher {
  readonly wantsEncryption: boolean
  readonly #deps: DispatchDeps
  readonly #cursor: Promise<Cursor>
  readonly #encryption: EncryptionInterest
  #handled = 0

  constructor(deps: DispatchDeps, cursor: Promise<Cursor>) {
    this.#deps = deps
    this.#cursor = cursor
    this.#encryption = new EncryptionInterest(deps, deps.queues.keys())
    this.wantsEncryption = this.#encryption.wanting.length > 0
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
    const relevant = entries.filter((entry) => this.#mayConcern(entry))
    const steps = relevant.length === 0 ? [] : await this.#dispatch(relevant, through)
    // Of a purged room there may be members who were noted after its own rows had gone.
    for (const entry of entries)
      if (entry.kind === 'purge') steps.push(deleteAppserviceMembersOf(entry.roomNid))
    if (onEntry !== undefined) for (const entry of entries) onEntry(entry)
    return steps.length === 0 ? undefined : { steps }
  }

  #mayConcern(entry: LogEntry): boolean {
    if (entry.kind === 'event') return isShown(entry.event)
    return this.wantsEncryption && ENCRYPTION_KINDS.has(entry.kind)
  }

  async #dispatch(entries: readonly LogEntry[], through: number): Promise<Step[]> {
    const { interest, queues } = this.#deps
    const rooms = entries.flatMap(roomOf)
    await interest.begin(new Map(rooms))
    await this.#encryption.begin(entries)
    const wanted = new Map<KnownAppservice, PlacedItem[]>()
    const want = (known: KnownAppservice, position: number, item: QueueItem): void => {
      const list = wanted.get(known)
      if (list === undefined) wanted.set(known, [{ position, item }])
      else list.push({ position, item })
    }
    for (const entry of entries) {
      const { position } = entry
      const before = entry.kind === 'event' ? this.#encryption.membersBefore(entry.event) : NOBODY
      if (entry.kind === 'event') {
        const { event } = entry
        interest.apply(event)
        if (event.type === 'm.room.canonical_alias') interest.aliasesChanged(event.roomNid)
        for (const known of queues.keys()) if (await this.#wants(known, event)) want(known, position, event)
      }
      for (const known of this.#encryption.wanting)
        for (const item of await this.#encryption.itemsOf(known, entry, before)) want(known, position, item)
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
