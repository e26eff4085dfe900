import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import type { Log } from '@causeway/store/log/log.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { MembershipIndex } from '../rooms/membership-index.ts'

/** A user who is reading, with the rooms whose news concern them. Kept between polls, until idle for a while. */
interface Watch {
  readonly userId: UserId
  rooms: ReadonlySet<RoomId>
  readonly waiters: Set<() => void>
  lastUsed: number
}

/** A place in the waiting room, taken before the position is read, so that no news fall between the two. */
export interface Waiter {
  /** Resolves at the first news since the place was taken, after `ms`, or when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Gives the place back without waiting. */
  leave(): void
}

/** Wakes readers when something that concerns them has happened: it says that, never what (law 4). */
export interface Notifier {
  /** @param rooms the rooms the user is joined to or invited to */
  arm(userId: UserId, rooms: ReadonlySet<RoomId>): Waiter
  /** For whoever reads one room, in it or not. */
  armRoom(roomId: RoomId): Waiter
  /** Volatile news (typing): wakes those who read a room. */
  wakeRoom(roomId: RoomId): void
  wakeUser(userId: UserId): void
  /** Readers that wait now. */
  waiting(): number
}

export interface NotifierDeps {
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly members: MembershipIndex
}

/** How long a reader's registration outlives their last poll. */
const IDLE_MS = 120_000

interface Registry {
  readonly users: Map<UserId, Watch>
  readonly byRoom: Map<RoomId, Set<Watch>>
}

function register(registry: Registry, watch: Watch, rooms: ReadonlySet<RoomId>): void {
  if (watch.rooms === rooms) return
  for (const roomId of watch.rooms) if (!rooms.has(roomId)) leaveRoom(registry, watch, roomId)
  for (const roomId of rooms) {
    const watches = registry.byRoom.get(roomId)
    if (watches === undefined) registry.byRoom.set(roomId, new Set([watch]))
    else watches.add(watch)
  }
  watch.rooms = rooms
}

function leaveRoom(registry: Registry, watch: Watch, roomId: RoomId): void {
  const watches = registry.byRoom.get(roomId)
  watches?.delete(watch)
  if (watches?.size === 0) registry.byRoom.delete(roomId)
}

/** Whom an entry of the log concerns. A change of devices concerns all who share a room with the user. */
function concerned(
  registry: Registry,
  members: MembershipIndex,
  entry: LogEntry,
  wake: (watch: Watch) => void,
): void {
  if ('roomNid' in entry || entry.kind === 'event' || entry.kind === 'receipt') {
    registry.byRoom.get(entry.roomId)?.forEach(wake)
    for (const { userId } of memberChangesOf(entry)) wakeOne(registry, userId, wake)
    return
  }
  wakeOne(registry, entry.userId, wake)
  if (entry.kind !== 'device_list') return
  const rooms = members.peekRoomsOf(entry.userId)
  // Not in memory: everybody looks; a look without news costs little and changes nothing.
  if (rooms === undefined) registry.users.forEach(wake)
  else for (const roomId of rooms.joined) registry.byRoom.get(roomId)?.forEach(wake)
}

function everybody(registry: Registry, wake: (watch: Watch) => void): void {
  registry.users.forEach(wake)
  for (const watches of registry.byRoom.values()) watches.forEach(wake)
}

function wakeOne(registry: Registry, userId: string | undefined, wake: (watch: Watch) => void): void {
  const watch = registry.users.get(userId as UserId)
  if (watch !== undefined) wake(watch)
}

function wakeWaiters(watch: Watch): void {
  for (const wake of [...watch.waiters]) wake()
}

function createWaiter(watch: Watch, clock: Clock): Waiter {
  const { promise, resolve } = Promise.withResolvers<void>()
  watch.waiters.add(resolve)
  const leave = (): void => void watch.waiters.delete(resolve)
  return {
    leave,
    async wait(ms, signal) {
      const timer = clock.setTimeout(resolve, ms, { unref: true })
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
      try {
        await promise
      } finally {
        timer.cancel()
        leave()
      }
    },
  }
}

/** Listens to the bus for as long as the process lives. */
export function createNotifier({ log, bus, clock, members }: NotifierDeps): Notifier {
  const registry: Registry = { users: new Map(), byRoom: new Map() }
  let seen = log.head()
  let lastSweep = clock.now()
  bus.subscribe(() => {
    const entries = log.ring.since(seen)
    seen = log.head()
    if (registry.users.size === 0 && registry.byRoom.size === 0) return
    const woken = new Set<Watch>()
    const wake = (watch: Watch): void => void woken.add(watch)
    if (entries === 'fell-behind') everybody(registry, wake)
    else for (const entry of entries) concerned(registry, members, entry, wake)
    woken.forEach(wakeWaiters)
  })
  const sweep = (): void => {
    const oldest = clock.now() - IDLE_MS
    if (lastSweep > oldest) return
    lastSweep = clock.now()
    for (const watch of registry.users.values()) {
      if (watch.waiters.size > 0 || watch.lastUsed > oldest) continue
      for (const roomId of watch.rooms) leaveRoom(registry, watch, roomId)
      registry.users.delete(watch.userId)
    }
  }
  return {
    arm(userId, rooms) {
      sweep()
      const watch = registry.users.get(userId) ?? {
        userId,
        rooms: new Set(),
        waiters: new Set(),
        lastUsed: 0,
      }
      registry.users.set(userId, watch)
      watch.lastUsed = clock.now()
      register(registry, watch, rooms)
      return createWaiter(watch, clock)
    },
    armRoom(roomId) {
      const watch: Watch = { userId: '' as UserId, rooms: new Set(), waiters: new Set(), lastUsed: 0 }
      register(registry, watch, new Set([roomId]))
      const waiter = createWaiter(watch, clock)
      const leave = (): void => {
        waiter.leave()
        leaveRoom(registry, watch, roomId)
      }
      return { leave, wait: (ms, signal) => waiter.wait(ms, signal).finally(leave) }
    },
    wakeRoom: (roomId) => registry.byRoom.get(roomId)?.forEach(wakeWaiters),
    wakeUser: (userId) => wakeOne(registry, userId, wakeWaiters),
    waiting: () => [...registry.users.values()].reduce((sum, watch) => sum + watch.waiters.size, 0),
  }
}
