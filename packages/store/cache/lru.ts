/** What a cache did and holds, for the metrics. `bytes` is an estimate (see `weigh`). */
export interface CacheFigures {
  readonly name: string
  readonly bytes: number
  readonly limit: number
  readonly entries: number
  readonly hits: number
  readonly misses: number
  /** Entries let go for want of room. */
  readonly shed: number
}

interface Entry<K, V> {
  readonly key: K
  value: V
  weight: number
  isProtected: boolean
  older: Entry<K, V> | undefined
  newer: Entry<K, V> | undefined
}

/** A doubly linked list, oldest to newest, which knows its weight. */
class Chain<K, V> {
  oldest: Entry<K, V> | undefined
  newest: Entry<K, V> | undefined
  weight = 0

  add(entry: Entry<K, V>): void {
    entry.older = this.newest
    entry.newer = undefined
    if (this.newest === undefined) this.oldest = entry
    else this.newest.newer = entry
    this.newest = entry
    this.weight += entry.weight
  }

  remove(entry: Entry<K, V>): void {
    if (entry.older === undefined) this.oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.newest = entry.older
    else entry.newer.older = entry.older
    entry.older = entry.newer = undefined
    this.weight -= entry.weight
  }
}

/** Changes remembered by key for readers of what is stored: as many as can happen while one query runs. */
const REMEMBERED_CHANGES = 1024

/** When keys were last set or deleted, for a bounded stretch of the past; counts changes, not time. */
class RecentChanges<K> {
  readonly #byKey = new Map<K, number>()
  #count = 0
  /** Of changes up to here it is no longer known which keys they were of. */
  #floor = 0

  note(key: K): void {
    this.#byKey.delete(key)
    this.#byKey.set(key, ++this.#count)
    if (this.#byKey.size <= REMEMBERED_CHANGES) return
    const [oldest, at] = this.#byKey.entries().next().value!
    this.#byKey.delete(oldest)
    this.#floor = at
  }

  noteAll(): void {
    this.#byKey.clear()
    this.#floor = ++this.#count
  }

  now(): number {
    return this.#count
  }

  mayHaveChanged(key: K, since: number): boolean {
    return since < this.#floor || (this.#byKey.get(key) ?? 0) > since
  }
}

/** What a map slot and the entry's own object cost, beside what the caller weighs. */
const ENTRY_OVERHEAD = 112
/** Share of the limit kept for entries that were asked for more than once, so that one long scan sheds only others like it. */
const PROTECTED_SHARE = 0.8

/**
 * A cache bounded by estimated bytes: segmented least-recently-used. A new entry is on probation; a hit
 * protects it; what protection has no room for goes back to probation; probation sheds its oldest. Each
 * operation is O(1), but `set` sheds as many as the new entry outweighs.
 */
export class Cache<K, V> {
  readonly name: string
  readonly #weigh: (value: V, key: K) => number
  readonly #entries = new Map<K, Entry<K, V>>()
  readonly #probation = new Chain<K, V>()
  readonly #protected = new Chain<K, V>()
  /** Only where somebody fills the cache from what is stored. */
  #changes: RecentChanges<K> | undefined
  #limit: number
  #hits = 0
  #misses = 0
  #shed = 0

  constructor(name: string, limit: number, weigh: (value: V, key: K) => number) {
    this.name = name
    this.#limit = limit
    this.#weigh = weigh
  }

  /** The value, which counts as used; undefined when it is not held. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#protect(entry)
    return entry.value
  }

  /** The value, without a trace in order or figures. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** Holds `value` from now on, weighed anew. A value heavier than the whole cache is not held. */
  set(key: K, value: V): void {
    this.#changes?.note(key)
    this.#hold(key, value)
  }

  /** To be taken before a query whose rows go into the cache by `fill`. */
  mark(): number {
    this.#changes ??= new RecentChanges()
    return this.#changes.now()
  }

  /**
   * Holds what was read from the store, unless the key was set or deleted since the read began: the row may be of
   * before that, and would stand here for good. Returns what readers are to see: what is held, or what was read.
   * @param mark of before the read
   */
  fill(key: K, value: V, mark: number): V {
    if (this.#changes?.mayHaveChanged(key, mark) === true) return this.peek(key) ?? value
    this.#hold(key, value)
    return value
  }

  #hold(key: K, value: V): void {
    const weight = this.#weigh(value, key) + ENTRY_OVERHEAD
    const old = this.#entries.get(key)
    if (old !== undefined) this.#drop(old)
    // Also what cannot be weighed (NaN) is not held.
    if (!(weight <= this.#limit)) return
    const isProtected = old?.isProtected ?? false
    const entry: Entry<K, V> = { key, value, weight, isProtected, older: undefined, newer: undefined }
    this.#entries.set(key, entry)
    this.#chainOf(entry).add(entry)
    this.#trim()
  }

  delete(key: K): boolean {
    this.#changes?.note(key)
    const entry = this.#entries.get(key)
    if (entry !== undefined) this.#drop(entry)
    return entry !== undefined
  }

  /** Deletes every entry that `matches`; walks the whole cache. */
  deleteWhere(matches: (key: K, value: V) => boolean): void {
    this.#changes?.noteAll()
    for (const entry of this.#entries.values()) if (matches(entry.key, entry.value)) this.#drop(entry)
  }

  clear(): void {
    this.deleteWhere(() => true)
  }

  /** A new limit in bytes; sheds at once what no longer fits. */
  resize(limit: number): void {
    this.#limit = limit
    this.#trim()
  }

  figures(): CacheFigures {
    return {
      name: this.name,
      bytes: this.#probation.weight + this.#protected.weight,
      limit: this.#limit,
      entries: this.#entries.size,
      hits: this.#hits,
      misses: this.#misses,
      shed: this.#shed,
    }
  }

  #chainOf(entry: Entry<K, V>): Chain<K, V> {
    return entry.isProtected ? this.#protected : this.#probation
  }

  #drop(entry: Entry<K, V>): void {
    this.#chainOf(entry).remove(entry)
    this.#entries.delete(entry.key)
  }

  #protect(entry: Entry<K, V>): void {
    if (entry.isProtected && this.#protected.newest === entry) return
    this.#chainOf(entry).remove(entry)
    entry.isProtected = true
    this.#protected.add(entry)
    this.#demote()
  }

  #demote(): void {
    while (this.#protected.weight > this.#limit * PROTECTED_SHARE) {
      const entry = this.#protected.oldest!
      this.#protected.remove(entry)
      entry.isProtected = false
      this.#probation.add(entry)
    }
  }

  #trim(): void {
    this.#demote()
    while (this.#probation.weight + this.#protected.weight > this.#limit) {
      this.#drop((this.#probation.oldest ?? this.#protected.oldest)!)
      this.#shed++
    }
  }
}
