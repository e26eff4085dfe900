import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createKeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { runCursor, type Cursor } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { createGathering, type Gathering } from '@causeway/store/log/gathering.ts'
import {
  deleteRoomDescription,
  listDueDescriptions,
  saveRoomDescription,
} from '@causeway/store/tables/room-descriptions.ts'
import { findRoomIdByNid } from '@causeway/store/tables/rooms.ts'
import { requireKnownRoom } from '@causeway/store/tables/user-directory.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readDirectoryEntries } from '../user-directory/read-entries.ts'
import { roomsToDescribe } from './changes.ts'
import { describeRoom } from './describe-room.ts'

/**
 * What all rooms say of themselves, in a table: kept from the log by a cursor of its own, so that whoever sorts or
 * searches rooms reads no state, and no event waits for it. What it has to do is read from the log, how things are from
 * the state, so that any of it may be done again.
 */
export interface RoomList extends AsyncDisposable {
  /** Before anything is written to the log. */
  start(): Promise<void>
  /**
   * Resolves when the table says all that is durable by now. Throws M_UNKNOWN, with status 503, where that takes too
   * long: after an update every room is read once, in the background.
   */
  caughtUp(): Promise<void>
  /** Entries of the log that are still to be read. */
  behind(): number
}

export interface RoomListDeps {
  readonly rooms: RoomEngine
  readonly bus: Bus
  readonly logger: Logger
  readonly serverName: ServerName
}

const CURSOR = 'room_list'
/** Rooms whose state is read at the same time, for one write. */
const AT_ONCE = 64
/** How long a change waits for others to share a write with, when nobody looks and not many came. */
const GATHERING = { pauseMs: 1_000, enough: 50 }
const PATIENCE_MS = 30_000
const RETRY_MS = 5_000

export function createRoomList(deps: RoomListDeps): RoomList {
  return new RunningRoomList(deps)
}

class RunningRoomList implements RoomList {
  readonly #deps: RoomListDeps
  readonly #queue = createKeyedQueue<''>()
  readonly #gathering: Gathering
  readonly #stop = new AbortController()
  #cursor: Cursor | undefined
  /** Resolves when every room was described that was there before this table. */
  #filled: Promise<void> = Promise.resolve()

  constructor(deps: RoomListDeps) {
    this.#deps = deps
    this.#gathering = createGathering(deps.rooms.clock, GATHERING)
  }

  async start(): Promise<void> {
    const { rooms, logger, bus } = this.#deps
    this.#cursor = await runCursor(
      { db: rooms.db, log: rooms.log, clock: rooms.clock, bus },
      {
        name: CURSOR,
        read: readDirectoryEntries(rooms),
        handle: (entries, signal) => this.#handle(entries, signal),
        onError: (error) => logger.error('the list of rooms cannot follow the log', { error }),
      },
    )
    // Looked at here, and not beside what starts next: each query beside another takes a connection of its own.
    if ((await listDueDescriptions(rooms.db, 1)).length > 0) this.#filled = this.#fill()
  }

  async caughtUp(): Promise<void> {
    const { log, clock } = this.#deps.rooms
    if (this.#cursor === undefined) throw tooLate()
    const head = log.head()
    this.#gathering.hurry(head)
    const end = new AbortController()
    const patience = clock.sleep(PATIENCE_MS, end.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    )
    const done = Promise.all([this.#filled, this.#cursor.reached(head)]).then(
      () => 'done' as const,
      () => 'late' as const,
    )
    const outcome = await Promise.race([done, patience]).finally(() => end.abort())
    if (outcome === 'late' || this.#stop.signal.aborted) throw tooLate()
  }

  behind(): number {
    return this.#cursor === undefined ? 0 : this.#deps.rooms.log.head() - this.#cursor.position()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#cursor?.[Symbol.asyncDispose]()
    await this.#filled
    await this.#queue.idle()
  }

  async #handle(entries: readonly LogEntry[], signal: AbortSignal): Promise<void> {
    const { rooms, serverName } = this.#deps
    const changed = await roomsToDescribe(rooms, entries, serverName)
    if (changed.size === 0) return
    await this.#gathering.beforeHandling(entries, signal)
    await this.#describeAll([...changed])
  }

  /** Never rejects. Ends early when it was disposed of. */
  async #fill(): Promise<void> {
    const { rooms, logger } = this.#deps
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const due = await listDueDescriptions(rooms.db, AT_ONCE)
        if (due.length === 0) return
        await this.#describeAll(due)
      } catch (error) {
        logger.error('rooms cannot be read for the list of rooms', { error })
        await rooms.clock.sleep(RETRY_MS, signal).catch(() => undefined)
      }
    }
  }

  /** One after the other, so that what is written last is what was read last. */
  async #describeAll(roomNids: readonly number[]): Promise<void> {
    for (let at = 0; at < roomNids.length; at += AT_ONCE) {
      await this.#queue.serial('', () => this.#describe(roomNids.slice(at, at + AT_ONCE)))
    }
  }

  async #describe(roomNids: readonly number[]): Promise<void> {
    const { db } = this.#deps.rooms
    const steps = await Promise.all(roomNids.map((roomNid) => stepsFor(this.#deps.rooms, roomNid)))
    const result = await db.commit({ entries: [], steps: steps.flat() })
    // One of the rooms is being purged since it was read. The others are as they were.
    if (result.ok) return
    for (const roomNid of roomNids) {
      await db.commit({ entries: [], steps: await stepsFor(this.#deps.rooms, roomNid) })
    }
  }
}

/** What makes the table say what a room says; nothing of one that is being purged. */
async function stepsFor(rooms: RoomEngine, roomNid: number): Promise<Step[]> {
  const roomId = await findRoomIdByNid(rooms.db, roomNid)
  if (roomId?.startsWith('!') !== true) return [deleteRoomDescription(roomNid)]
  const description = await describeRoom(rooms, await findRoom(rooms, roomId as RoomId), true)
  const { creator, federatable, roomType, texts } = description
  const row = {
    room_nid: roomNid,
    creator: creator ?? '',
    federatable: federatable ? 1 : 0,
    room_type: roomType ?? '',
    name: texts.name ?? '',
    canonical_alias: texts.canonical_alias ?? '',
    encryption: texts.encryption ?? '',
    join_rules: texts.join_rules ?? '',
    guest_access: texts.guest_access ?? '',
    history_visibility: texts.history_visibility ?? '',
    avatar: texts.avatar ?? '',
  }
  return [requireKnownRoom(roomNid), saveRoomDescription(row)]
}

function tooLate(): MatrixError {
  return new MatrixError('M_UNKNOWN', 'The list of rooms is still being made; try again in a while', {
    status: 503,
  })
}
