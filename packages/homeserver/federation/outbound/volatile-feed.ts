import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { ReceiptEntry } from '@causeway/store/log/entry.ts'
import { listServersOfRooms } from '@causeway/store/tables/room-servers.ts'
import type { Logger } from '../../ops/log.ts'
import type { Presence } from '../../presence/presence.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { Notifier } from '../../sync/notifier.ts'
import type { VolatileStream } from '../../sync/volatile.ts'
import type { Typing } from '../../user-data/typing.ts'
import type { RoomTargets } from './room-targets.ts'
import type { VolatileEdu, VolatileEdus } from './volatile-edus.ts'

export interface VolatileFeedDeps {
  readonly serverName: ServerName
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly volatileStream: VolatileStream
  readonly targets: RoomTargets
  readonly edus: VolatileEdus
  /** Position of the log up to which the targets were kept true. */
  readonly position: () => number
  readonly wake: (server: ServerName) => void
  readonly isReachable: (server: ServerName) => boolean
}

/** Where what changes by itself is read. */
export interface VolatileSources {
  readonly typing: Pick<Typing, 'of'>
  readonly presence: Pick<Presence, 'changedSince'>
}

/**
 * Typing, read receipts and presence of our users for the servers they share rooms with. Typing goes at once;
 * the others wait a moment for more of their kind, and for anything else that goes there.
 */
export interface VolatileFeed extends Disposable {
  /** A notifier that tells the feed, too, of what it announces. */
  watch(notifier: Notifier): Notifier
  onReceipt(entry: ReceiptEntry): void
  /** Begins; what is announced before is nobody's. */
  open(sources: VolatileSources): void
  /** Resolves when all that was announced is in the queues. */
  settled(): Promise<void>
}

/** How long receipts and presence wait, and how many servers are sent nothing else at a time: the budget of it. */
const LINGER_MS = 1_000
const MAX_LINGERING_AT_ONCE = 100
/** Servers forget who types after a minute, unless they are told again. */
const TYPING_REFRESH_MS = 40_000
/** Rooms with people of ours who type. */
const MAX_TYPING_ROOMS = 20_000
/** Servers that are told of the presence of one user. */
const MAX_PRESENCE_SERVERS = 10_000
/** Users whose presence waits to be looked at. */
const PRESENCE_AT_ONCE = 500

export function createVolatileFeed(deps: VolatileFeedDeps): VolatileFeed {
  return new Feed(deps)
}

interface TypingTold {
  readonly users: ReadonlySet<UserId>
  readonly at: number
}

class Feed implements VolatileFeed {
  readonly #deps: VolatileFeedDeps
  #sources: VolatileSources | undefined
  /** Rooms in which something was announced since the last look. */
  #rooms = new Set<RoomId>()
  /** Of our users: who was said to type, and when. */
  readonly #typing = new Map<RoomId, TypingTold>()
  #look: Promise<void> | undefined
  #looks = false
  #seen = 0
  /** Servers for which something waits that need not go at once. */
  readonly #lingering = new Set<ServerName>()
  #timer: Timer | undefined
  #refresh: Timer | undefined
  readonly #working = new Set<Promise<void>>()

  constructor(deps: VolatileFeedDeps) {
    this.#deps = deps
  }

  watch(notifier: Notifier): Notifier {
    return {
      ...notifier,
      wakeRoom: (roomId) => {
        notifier.wakeRoom(roomId)
        this.#rooms.add(roomId)
        this.#lookLater()
      },
      wakeUser: (userId) => {
        notifier.wakeUser(userId)
        this.#lookLater()
      },
    }
  }

  open(sources: VolatileSources): void {
    this.#seen = this.#deps.volatileStream.position()
    this.#sources = sources
  }

  onReceipt(entry: ReceiptEntry): void {
    if (entry.receiptType !== 'm.read' || !this.#isOurs(entry.userId) || this.#sources === undefined) return
    this.#work(this.#tellReceipt(entry))
  }

  async settled(): Promise<void> {
    while (this.#look !== undefined || this.#working.size > 0) {
      await Promise.all([this.#look, ...this.#working])
    }
  }

  [Symbol.dispose](): void {
    this.#sources = undefined
    this.#timer?.cancel()
    this.#refresh?.cancel()
  }

  #isOurs(userId: UserId): boolean {
    return serverNameOf(userId) === this.#deps.serverName
  }

  #work(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) =>
        this.#deps.logger.warn('volatile data did not reach other servers', { error }),
      )
      .finally(() => this.#working.delete(done))
    this.#working.add(done)
  }

  /** What is announced within a turn of the event loop is looked at once. */
  #lookLater(): void {
    this.#looks = true
    if (this.#look !== undefined || this.#sources === undefined) return
    this.#look = new Promise<void>((resolve) => this.#deps.clock.defer(resolve))
      .then(async () => {
        while (this.#looks && this.#sources !== undefined) await this.#lookNow(this.#sources)
      })
      .catch((error: unknown) =>
        this.#deps.logger.warn('volatile data did not reach other servers', { error }),
      )
      .finally(() => {
        this.#look = undefined
        if (this.#looks) this.#lookLater()
      })
  }

  async #lookNow({ typing, presence }: VolatileSources): Promise<void> {
    this.#looks = false
    const rooms = this.#rooms
    this.#rooms = new Set()
    const since = this.#seen
    this.#seen = this.#deps.volatileStream.position()
    for (const roomId of rooms) await this.#lookAtTyping(roomId, typing.of(roomId)?.userIds ?? [])
    const changed = presence.changedSince(since).filter((userId) => this.#isOurs(userId))
    for (const userId of changed.slice(-PRESENCE_AT_ONCE)) await this.#tellPresence(userId)
  }

  async #lookAtTyping(roomId: RoomId, userIds: readonly UserId[], again = false): Promise<void> {
    const now = new Set(userIds.filter((userId) => this.#isOurs(userId)))
    const told = this.#typing.get(roomId)?.users ?? new Set()
    const news: (readonly [UserId, boolean])[] = [
      ...[...now].filter((userId) => again || !told.has(userId)).map((userId) => [userId, true] as const),
      ...[...told].filter((userId) => !now.has(userId)).map((userId) => [userId, false] as const),
    ]
    if (news.length === 0) return
    this.#typing.delete(roomId)
    if (now.size > 0) this.#typing.set(roomId, { users: now, at: this.#deps.clock.monotonic() })
    if (this.#typing.size > MAX_TYPING_ROOMS) this.#typing.delete(this.#typing.keys().next().value!)
    this.#armRefresh()
    for (const server of await this.#serversOf(roomId)) {
      for (const [userId, typing] of news) this.#put(server, { kind: 'typing', roomId, userId, typing })
      if (this.#deps.edus.has(server)) this.#deps.wake(server)
    }
  }

  /** Says again who types, before others forget it. */
  #armRefresh(): void {
    if (this.#refresh !== undefined || this.#typing.size === 0) return
    this.#refresh = this.#deps.clock.setTimeout(
      () => {
        this.#refresh = undefined
        const before = this.#deps.clock.monotonic() - TYPING_REFRESH_MS
        const due = [...this.#typing].filter(([, { at }]) => at <= before).map(([roomId]) => roomId)
        for (const roomId of due) {
          this.#work(this.#lookAtTyping(roomId, this.#sources?.typing.of(roomId)?.userIds ?? [], true))
        }
        this.#armRefresh()
      },
      TYPING_REFRESH_MS / 4,
      { unref: true },
    )
  }

  async #tellReceipt({ roomId, userId, eventId, threadId, ts }: ReceiptEntry): Promise<void> {
    for (const server of await this.#serversOf(roomId)) {
      this.#put(server, { kind: 'receipt', roomId, userId, eventId, threadId, ts })
      this.#linger(server)
    }
  }

  async #tellPresence(userId: UserId): Promise<void> {
    const { rooms, db } = this.#deps
    const { byId, joined } = await rooms.members.roomsOf(userId)
    const roomNids = [...joined].map((roomId) => byId.get(roomId)!.roomNid)
    for (const server of await listServersOfRooms(db, roomNids, MAX_PRESENCE_SERVERS)) {
      this.#put(server as ServerName, { kind: 'presence', userId })
      this.#linger(server as ServerName)
    }
  }

  async #serversOf(roomId: RoomId): Promise<readonly ServerName[]> {
    const { rooms, targets, position } = this.#deps
    const room = await findRoom(rooms, roomId)
    return room === undefined ? [] : (await targets.now(room.roomNid, position() + 1)).servers
  }

  #put(server: ServerName, edu: VolatileEdu): void {
    if (this.#deps.isReachable(server)) this.#deps.edus.put(server, edu)
  }

  #linger(server: ServerName): void {
    if (!this.#deps.edus.has(server)) return
    this.#lingering.add(server)
    this.#timer ??= this.#deps.clock.setTimeout(() => this.#flush(), LINGER_MS, { unref: true })
  }

  #flush(): void {
    this.#timer = undefined
    let count = 0
    for (const server of this.#lingering) {
      if (count >= MAX_LINGERING_AT_ONCE) break
      this.#lingering.delete(server)
      if (!this.#deps.edus.has(server)) continue
      this.#deps.wake(server)
      count++
    }
    if (this.#lingering.size === 0 || this.#sources === undefined) return
    this.#timer = this.#deps.clock.setTimeout(() => this.#flush(), LINGER_MS, { unref: true })
  }
}
