import type { EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { createKeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import { runCursor, type Cursor } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { createGathering, type Gathering } from '@causeway/store/log/gathering.ts'
import { listRedacted } from '@causeway/store/tables/events.ts'
import {
  countRoomsToWalk,
  findMaxNameNid,
  listPurgedDirectoryRooms,
  walkPurgedRoom,
} from '@causeway/store/tables/user-directory.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findEvents } from '../rooms/read-events.ts'
import { addMember, changesOf, isNothing, type Changes } from './changes.ts'
import type { DirectoryLane } from './lane.ts'
import { readDirectoryEntries } from './read-entries.ts'
import { refreshMembers, refreshProfile } from './refresh-members.ts'
import { examineRoom, walkPortion } from './rooms.ts'
import { searchDirectory, type DirectoryAnswer } from './search.ts'
import { startWalker, type Walker } from './walker.ts'

/**
 * Whom people find when they look for somebody: kept from the log by a cursor of its own. What it has to do is read
 * from the log, how things are from the tables, so that any of it may be done again.
 */
export interface UserDirectory extends AsyncDisposable {
  /** Before anything is written to the log. */
  start(): Promise<void>
  /**
   * Users whom `userId` may see, by what begins words of their name or id. As of now, unless the directory has
   * fallen behind the log by more than a moment.
   */
  search(userId: UserId, term: string, limit: number): Promise<DirectoryAnswer>
  /** A profile of ours has changed: after the commit. */
  profileChanged(userId: UserId): Promise<void>
  /** Resolves when everything in the log so far, and every room, was looked at. For tests. */
  idle(): Promise<void>
  /** Entries of the log that are still to be read. */
  behind(): number
  /** Rooms whose members are still to be looked at. */
  roomsToWalk(): Promise<number>
}

export interface UserDirectoryDeps {
  readonly rooms: RoomEngine
  readonly bus: Bus
  readonly logger: Logger
  readonly serverName: ServerName
  /** Users of the server itself. */
  readonly hidden: ReadonlySet<UserId>
}

const CURSOR = 'user_directory'
/** Portions of a room that are looked at before the next entry of the log: enough for all but large rooms. */
const AT_ONCE = 4
/** How long somebody who comes into a room waits for others to share a write with, when nobody searches and not many came. */
const GATHERING = { pauseMs: 1_000, enough: 50 }
/** A search waits no longer for the directory to catch up with the log. */
const PATIENCE_MS = 2_000

export function createUserDirectory(deps: UserDirectoryDeps): UserDirectory {
  return new RunningDirectory(deps)
}

class RunningDirectory implements UserDirectory {
  readonly #deps: UserDirectoryDeps
  readonly #lane: DirectoryLane
  readonly #queue = createKeyedQueue<''>()
  readonly #walker: Walker
  readonly #gathering: Gathering
  #lastNameNid = 0
  #cursor: Cursor | undefined

  constructor(deps: UserDirectoryDeps) {
    this.#deps = deps
    const { rooms, serverName, hidden, logger } = deps
    this.#gathering = createGathering(rooms.clock, GATHERING)
    this.#lane = { db: rooms.db, rooms, serverName, hidden, nextNameNid: () => ++this.#lastNameNid }
    this.#walker = startWalker({
      lane: this.#lane,
      inLane: (work) => this.#serial(work),
      clock: rooms.clock,
      onError: (error) => logger.error('rooms cannot be read for the user directory', { error }),
    })
  }

  async start(): Promise<void> {
    const { rooms, logger, bus } = this.#deps
    this.#lastNameNid = await findMaxNameNid(rooms.db)
    await this.#forgetPurged(await listPurgedDirectoryRooms(rooms.db))
    this.#cursor = await runCursor(
      { db: rooms.db, log: rooms.log, clock: rooms.clock, bus },
      {
        name: CURSOR,
        read: readDirectoryEntries(rooms),
        handle: (entries, signal) => this.#handle(entries, signal),
        onError: (error) => logger.error('the user directory cannot follow the log', { error }),
      },
    )
    this.#walker.wake()
  }

  async search(userId: UserId, term: string, limit: number): Promise<DirectoryAnswer> {
    await this.#caughtUp()
    const { rooms } = this.#deps
    return searchDirectory(rooms.db, { userId, term, limit, except: await rooms.ignored.of(userId) })
  }

  profileChanged(userId: UserId): Promise<void> {
    return this.#serial(() => refreshProfile(this.#lane, userId))
  }

  async idle(): Promise<void> {
    this.#hurry()
    await this.#cursor?.reached(this.#deps.rooms.log.head())
    await this.#walker.idle()
  }

  behind(): number {
    return this.#cursor === undefined ? 0 : this.#deps.rooms.log.head() - this.#cursor.position()
  }

  roomsToWalk(): Promise<number> {
    return countRoomsToWalk(this.#deps.rooms.db)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cursor?.[Symbol.asyncDispose]()
    await this.#walker[Symbol.asyncDispose]()
    await this.#queue.idle()
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.serial('', work)
  }

  /** Up to here nothing is gathered any more. */
  #hurry(): void {
    this.#gathering.hurry(this.#deps.rooms.log.head())
  }

  async #handle(entries: readonly LogEntry[], signal: AbortSignal): Promise<void> {
    const changes = changesOf(entries, this.#deps.serverName)
    if (isNothing(changes)) return
    await this.#gathering.beforeHandling(entries, signal)
    await this.#serial(() => this.#follow(changes))
  }

  async #follow(changes: Changes): Promise<void> {
    await this.#forgetPurged([...changes.purged])
    const toWalk = await this.#examine(changes)
    await this.#addRedacted(changes)
    await refreshMembers(this.#lane, changes.members)
    for (const roomNid of toWalk) {
      let isMore = true
      for (let portion = 0; isMore && portion < AT_ONCE; portion++) {
        isMore = await walkPortion(this.#lane, roomNid)
      }
    }
    if (toWalk.length > 0 || changes.purged.size > 0) this.#walker.wake()
  }

  async #examine({ rooms, whole, left }: Changes): Promise<number[]> {
    const toWalk: number[] = []
    for (const roomNid of new Set([...rooms, ...whole])) {
      const anew = whole.has(roomNid)
        ? 'always'
        : left.has(roomNid)
          ? 'if nobody else of ours is in it'
          : 'never'
      if (await examineRoom(this.#lane, roomNid, { anew })) toWalk.push(roomNid)
    }
    return toWalk
  }

  async #forgetPurged(roomNids: readonly number[]): Promise<void> {
    if (roomNids.length === 0) return
    await this.#lane.db.commit({ entries: [], steps: roomNids.map(walkPurgedRoom) })
  }

  /** A membership that was redacted shows no name any more. */
  async #addRedacted({ redactions, members }: Changes): Promise<void> {
    if (redactions.length === 0) return
    const { rooms } = this.#deps
    const targets = await findEvents(rooms, (await listRedacted(rooms.db, redactions)) as EventId[])
    for (const { type, stateKey, roomNid } of targets.values()) {
      if (type === 'm.room.member') addMember(members, roomNid, stateKey as UserId)
    }
  }

  async #caughtUp(): Promise<void> {
    const { log, clock } = this.#deps.rooms
    if (this.#cursor === undefined || this.#cursor.position() >= log.head()) return
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = clock.setTimeout(resolve, PATIENCE_MS, { unref: true })
    this.#hurry()
    try {
      await Promise.race([this.#cursor.reached(log.head()), late])
    } finally {
      timer.cancel()
    }
  }
}
