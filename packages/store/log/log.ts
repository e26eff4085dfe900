import type { Bus } from '../bus/local.ts'
import type { CommitResult, Database, Write } from '../db/database.ts'
import { createChangeIndex } from './change-index.ts'
import type { ChangeIndex } from './change-index.ts'
import type { LogEntry } from './entry.ts'
import { createRing, keyOf } from './ring.ts'
import type { Ring } from './ring.ts'

export type EntryKind = LogEntry['kind']

/** The one log of everything the server accepts, as this process knows it. */
export interface Log {
  /** Part of every sync token: changes when a backup is restored. */
  readonly epoch: string
  readonly ring: Ring
  /** Per kind of entry, when each key (`keyOf`: room or user) last had one: an idle sync costs no query. */
  readonly changes: Readonly<Record<EntryKind, ChangeIndex>>
  /** Every entry up to this position is durable and, if new enough, in the ring. */
  head(): number
  /**
   * Commits a write. When it resolves with `ok`, the entries have their positions, are in the ring and were
   * announced. The same holds for entries of writes that went to `db.commit` directly.
   */
  append(write: Write): Promise<CommitResult>
}

export interface LogOptions {
  readonly bus: Bus
  readonly ring: { readonly maxEntries: number; readonly maxBytes: number }
  /** Keys that each index of changes holds. */
  readonly maxChangedKeys: number
}

/** What a database calls for each accepted write, in the order of commits, before the write is answered. */
export type CommitListener = (write: Write, result: CommitResult & { ok: true }) => void

const KINDS: readonly EntryKind[] = [
  'event',
  'receipt',
  'account_data',
  'to_device',
  'device_list',
  'push_rules',
  'pushers',
  'thread_subscription',
  'profile',
  'room_whole',
  'sticky',
  'purge',
  'cut',
  'erasure',
]

function createChanges(limit: number, floor: number): Record<EntryKind, ChangeIndex> {
  const indexes = KINDS.map((kind) => [kind, createChangeIndex(limit, floor)] as const)
  return Object.fromEntries(indexes) as Record<EntryKind, ChangeIndex>
}

/** A gap in the log: a commit whose answer was lost with the connection, or another process's. */
function raiseFloors(changes: Log['changes'], position: number): void {
  for (const kind of KINDS) changes[kind].raiseFloor(position)
}

/**
 * Takes in what was committed. A batch's announcements become one: the task queued at its first write runs
 * after the whole batch was taken in, and before anybody who awaits one of its writes goes on.
 */
function createIntake(log: Pick<Log, 'ring' | 'changes'>, bus: Bus): CommitListener {
  let announced = true
  const announce = (): void => {
    announced = true
    bus.publish(log.ring.head())
  }
  return (write) => {
    for (const entry of write.entries) {
      if (entry.position !== log.ring.head() + 1) raiseFloors(log.changes, entry.position - 1)
      log.ring.append(entry)
      log.changes[entry.kind].note(keyOf(entry), entry.position)
    }
    if (write.entries.length === 0 || !announced) return
    announced = false
    queueMicrotask(announce)
  }
}

/**
 * Opens the database and the log over it.
 * @param open opens the database with a listener for its commits (`openDatabase`'s `onCommit`); before it has
 * resolved nothing may be committed.
 */
export async function openLog<Db extends Database>(
  open: (onCommit: CommitListener) => Promise<Db>,
  { bus, ring: bounds, maxChangedKeys }: LogOptions,
): Promise<{ db: Db; log: Log }> {
  let intake: CommitListener = () => {
    throw new Error('A write was committed before the log was open')
  }
  const db = await open((write, result) => intake(write, result))
  const rows = await db.query('SELECT position, epoch FROM log_state WHERE id = 1', [])
  const state = rows[0]
  if (state === undefined) throw new Error('The database has no log: it was not set up')
  const floor = Number(state['position'])
  const ring = createRing({ floor, ...bounds })
  const changes = createChanges(maxChangedKeys, floor)
  intake = createIntake({ ring, changes }, bus)
  bus.publish(floor)
  const log: Log = {
    epoch: String(state['epoch']),
    ring,
    changes,
    head: () => ring.head(),
    append: (write) => db.commit(write),
  }
  return { db, log }
}
