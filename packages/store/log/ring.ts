import type { LogEntry, StoredEvent } from './entry.ts'

/** The last entries of the log in memory, in the order of positions. */
export interface Ring {
  /** Takes in the next entry. A gap before it empties the ring, since readers must not miss what lies in it. */
  append(entry: LogEntry): void
  /**
   * All entries after `position`, or those of the first `limit` positions, oldest first; `'fell-behind'` when some are no
   * longer held.
   */
  since(position: number, limit?: number): LogEntry[] | 'fell-behind'
  /**
   * Only those of certain rooms and users, oldest first. An event or receipt is its room's; everything else
   * is its user's, room account data too. Costs what is found, plus the lesser of the keys and the entries.
   */
  sinceOf(
    position: number,
    rooms: ReadonlySet<string>,
    users: ReadonlySet<string>,
  ): LogEntry[] | 'fell-behind'
  /**
   * Another form of an event that may be in the ring, found by its number: a redaction leaves nothing of the
   * old one behind. Not there: nothing happens.
   */
  replaceEvent(event: StoredEvent): void
  /** Lets go of all events and receipts of a room that are held now: readers find them no more. */
  forgetRoom(roomId: string): void
  /** Every entry after this position, up to `head()`, is held. */
  floor(): number
  /** Position of the last entry taken in. */
  head(): number
  figures(): { readonly entries: number; readonly bytes: number; readonly keys: number }
}

export interface RingOptions {
  /** The log's position when this process started: entries after it will be appended. */
  readonly floor: number
  readonly maxEntries: number
  /** By estimate (`weighEntry`). */
  readonly maxBytes: number
}

/** Estimated bytes of an entry in memory, its event included. */
export function weighEntry(entry: LogEntry): number {
  if (entry.kind === 'event') return 800 + 4 * entry.event.clientJson.length
  if (entry.kind === 'account_data') return 300 + weighJson(entry.content)
  return 300
}

function weighJson(value: unknown): number {
  if (typeof value === 'string') return 24 + 2 * value.length
  if (typeof value !== 'object' || value === null) return 8
  let bytes = 48
  for (const [key, item] of Object.entries(value)) bytes += 24 + key.length + weighJson(item)
  return bytes
}

/** Under which key a reader finds an entry; rooms begin with `!` and users with `@`, so one map holds both. */
export function keyOf(entry: LogEntry): string {
  switch (entry.kind) {
    case 'event':
    case 'receipt':
    case 'room_whole':
    case 'sticky':
    case 'purge':
    case 'cut':
      return entry.roomId
    default:
      return entry.userId
  }
}

/** One key's entries, oldest first; those before `from` have left the ring. */
interface KeyEntries {
  entries: LogEntry[]
  from: number
}

/** Ended entries kept at the front of a list until they are half of it. */
const CUT_FROM = 16

function dropOldest(list: KeyEntries): void {
  // The list must not keep what has left the ring.
  list.entries[list.from++] = undefined as never
  if (list.from < CUT_FROM || list.from * 2 < list.entries.length) return
  list.entries.splice(0, list.from)
  list.from = 0
}

/** Index of the first entry after `position`: looked for from the newest, since most readers are near. */
function firstAfter(list: KeyEntries, position: number): number {
  let at = list.entries.length
  while (at > list.from && list.entries[at - 1]!.position > position) at--
  return at
}

/**
 * Positions in the ring are (first, head]. Slots are taken one after another, and again from the first when there are
 * as many as may be: a server for which little happens has few. A slot among them is empty only where a room was
 * forgotten.
 */
class EntryRing implements Ring {
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #slots: (LogEntry | undefined)[] = []
  readonly #weights: number[] = []
  readonly #byKey = new Map<string, KeyEntries>()
  #first: number
  #head: number
  /** Position of the entry that took the first slot. */
  #base: number
  #bytes = 0

  constructor({ floor, maxEntries, maxBytes }: RingOptions) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
    this.#first = floor
    this.#head = floor
    this.#base = floor + 1
  }

  append(entry: LogEntry): void {
    if (entry.position <= this.#head) throw new Error(`Log entry ${entry.position} comes after ${this.#head}`)
    if (entry.position !== this.#head + 1) {
      while (this.#first < this.#head) this.#shedOldest()
      this.#first = entry.position - 1
      this.#base = entry.position
    }
    if (entry.position - this.#first > this.#maxEntries) this.#shedOldest()
    this.#head = entry.position
    this.#put(entry)
    const list = this.#byKey.get(keyOf(entry))
    if (list === undefined) this.#byKey.set(keyOf(entry), { entries: [entry], from: 0 })
    else list.entries.push(entry)
    while (this.#bytes > this.#maxBytes && this.#first < this.#head) this.#shedOldest()
  }

  since(position: number, limit = Infinity): LogEntry[] | 'fell-behind' {
    return position < this.#first ? 'fell-behind' : this.#after(position, limit)
  }

  sinceOf(
    position: number,
    rooms: ReadonlySet<string>,
    users: ReadonlySet<string>,
  ): LogEntry[] | 'fell-behind' {
    if (position < this.#first) return 'fell-behind'
    if (this.#head - position > rooms.size + users.size) return this.#ofKeys(position, rooms, users)
    return this.#after(position, Infinity).filter(
      (entry) => rooms.has(keyOf(entry)) || users.has(keyOf(entry)),
    )
  }

  replaceEvent(event: StoredEvent): void {
    if (event.nid <= this.#first || event.nid > this.#head) return
    const old = this.#slots[this.#slotOf(event.nid)]
    if (old === undefined) return
    if (old.kind !== 'event') throw new Error(`Log entry ${event.nid} is not an event`)
    const entry: LogEntry = { ...old, event }
    const list = this.#byKey.get(keyOf(old))!
    list.entries[firstAfter(list, event.nid - 1)] = entry
    this.#bytes -= this.#weights[this.#slotOf(event.nid)]!
    this.#put(entry)
  }

  forgetRoom(roomId: string): void {
    const list = this.#byKey.get(roomId)
    if (list === undefined) return
    const stays = ({ kind }: LogEntry): boolean => kind !== 'event' && kind !== 'receipt'
    const held = list.entries.slice(list.from)
    for (const { position } of held.filter((entry) => !stays(entry))) this.#clear(this.#slotOf(position))
    const left = held.filter(stays)
    if (left.length === 0) this.#byKey.delete(roomId)
    else this.#byKey.set(roomId, { entries: left, from: 0 })
  }

  floor(): number {
    return this.#first
  }

  head(): number {
    return this.#head
  }

  figures(): { entries: number; bytes: number; keys: number } {
    return { entries: this.#head - this.#first, bytes: this.#bytes, keys: this.#byKey.size }
  }

  #slotOf(position: number): number {
    return (position - this.#base) % this.#maxEntries
  }

  #put(entry: LogEntry): void {
    const slot = this.#slotOf(entry.position)
    this.#slots[slot] = entry
    this.#weights[slot] = weighEntry(entry)
    this.#bytes += this.#weights[slot]!
  }

  #clear(slot: number): void {
    this.#slots[slot] = undefined
    this.#bytes -= this.#weights[slot]!
    this.#weights[slot] = 0
  }

  #shedOldest(): void {
    const slot = this.#slotOf(++this.#first)
    const entry = this.#slots[slot]
    if (entry === undefined) return
    const key = keyOf(entry)
    this.#clear(slot)
    const list = this.#byKey.get(key)!
    dropOldest(list)
    if (list.from === list.entries.length) this.#byKey.delete(key)
  }

  #after(position: number, limit: number): LogEntry[] {
    const found: LogEntry[] = []
    const last = Math.min(this.#head, position + limit)
    for (let at = position + 1; at <= last; at++) {
      const entry = this.#slots[this.#slotOf(at)]
      if (entry !== undefined) found.push(entry)
    }
    return found
  }

  #ofKeys(position: number, rooms: ReadonlySet<string>, users: ReadonlySet<string>): LogEntry[] {
    const found: LogEntry[] = []
    for (const keys of [rooms, users]) {
      for (const key of keys) {
        const list = this.#byKey.get(key)
        if (list === undefined) continue
        for (let at = firstAfter(list, position); at < list.entries.length; at++)
          found.push(list.entries[at]!)
      }
    }
    return found.sort((a, b) => a.position - b.position)
  }
}

/** A ring bounded by number and by bytes: the oldest entries leave. */
export function createRing(options: RingOptions): Ring {
  return new EntryRing(options)
}
