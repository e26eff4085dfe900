import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { HeadAdvance } from '../database.ts'

/** Rooms whose version is kept in memory; the least lately used goes first. */
const MAX_CACHED = 50_000

interface PendingHead {
  /** The version in the table. */
  readonly from: number
  version: number
  head: string
}

/**
 * The versions of rooms, as far as the writer knows them, and the heads that this batch still has to write.
 * The writer is the only one who writes heads, so a cached version needs no query; each update still names the
 * version it replaces, and when that does not match (somebody changed the row by a statement) the batch is
 * replayed without the cache.
 */
export class SqliteHeads {
  #cache = new Map<number, number>()
  #pending = new Map<number, PendingHead>()
  #select: StatementSync
  #update: StatementSync

  constructor(db: DatabaseSync) {
    this.#select = db.prepare('SELECT version FROM rooms WHERE nid = ?')
    this.#update = db.prepare('UPDATE rooms SET version = ?, head = ? WHERE nid = ? AND version = ?')
  }

  /** Takes note of a write's heads, all or none. False: a precondition does not hold. */
  advance(heads: readonly HeadAdvance[]): boolean {
    for (let index = 0; index < heads.length; index++) {
      if (!this.#advanceOne(heads[index]!, heads.length > 1)) return false
    }
    return true
  }

  #advanceOne(head: HeadAdvance, oneOfMany: boolean): boolean {
    const pending = this.#pending.get(head.roomNid)
    if (pending === undefined) {
      if (!this.#isAt(head.roomNid, head.expectVersion)) return this.#refuse(oneOfMany)
      const { version, head: json } = head
      this.#pending.set(head.roomNid, { from: head.expectVersion, version, head: json })
      return true
    }
    if (pending.version !== head.expectVersion) return this.#refuse(oneOfMany)
    pending.version = head.version
    pending.head = head.head
    return true
  }

  /** A write of several heads may have been noted in part: only a replay can tell them apart again. */
  #refuse(oneOfMany: boolean): false {
    if (oneOfMany) throw new HeadsChanged()
    return false
  }

  /** A mismatch is looked up, so that a stale cache never refuses for good. */
  #isAt(roomNid: number, version: number): boolean {
    if (this.#cache.get(roomNid) === version) return true
    const row = this.#select.get(roomNid) as { version: number } | undefined
    return row?.version === version
  }

  /** Writes one update per room. @throws HeadsChanged when a row is not at the version it was thought to be at */
  flush(): void {
    for (const [roomNid, { from, version, head }] of this.#pending) {
      if (this.#update.run(version, head, roomNid, from).changes !== 1) throw new HeadsChanged()
    }
  }

  /** Compare-and-set in the table at once, for a replay. */
  advanceInTable(heads: readonly HeadAdvance[]): boolean {
    return heads.every(
      ({ roomNid, expectVersion, version, head }) =>
        this.#update.run(version, head, roomNid, expectVersion).changes === 1,
    )
  }

  /** The batch was committed. */
  committed(): void {
    for (const [roomNid, { version }] of this.#pending) {
      this.#cache.delete(roomNid)
      this.#cache.set(roomNid, version)
    }
    this.#pending.clear()
    while (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!)
  }

  /** The batch was rolled back: trust nothing. */
  reset(): void {
    this.#pending.clear()
    this.#cache.clear()
  }
}

/** The batch has to be replayed write by write. */
export class HeadsChanged extends Error {}
