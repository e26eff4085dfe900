import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
import type { Homeserver } from '../homeserver.ts'

/** Who types in a room now, and when in the volatile stream that last changed. */
export interface RoomTyping {
  readonly userIds: readonly UserId[]
  readonly changedAt: number
}

/** Who is typing: volatile, ends by itself. https://spec.matrix.org/v1.19/client-server-api/#typing-notifications */
export interface Typing {
  /** Typing for another `ms` milliseconds, or no longer when 0. Readers are told only when that is news. */
  set(roomId: RoomId, userId: UserId, ms: number): void
  /** Undefined when nobody has typed there lately. */
  of(roomId: RoomId): RoomTyping | undefined
}

interface Room {
  readonly users: Map<UserId, Timer>
  told: RoomTyping
}

/** A client that says it types for longer has to say so again. */
const MAX_MS = 120_000
/** Rooms remembered, those first forgotten in which nobody types. */
const MAX_ROOMS = 20_000
/** People typing at once in one room; more than a client could show. */
const MAX_USERS = 100

export function createTyping({
  clock,
  volatile,
  notifier,
}: Pick<Homeserver, 'clock' | 'volatile' | 'notifier'>): Typing {
  /** Ordered by the last change, so that the first one is the oldest. */
  const rooms = new Map<RoomId, Room>()
  const tell = (roomId: RoomId, room: Room): void => {
    room.told = { userIds: [...room.users.keys()], changedAt: volatile.next() }
    rooms.delete(roomId)
    rooms.set(roomId, room)
    if (rooms.size > MAX_ROOMS) forgetOldest(rooms)
    notifier.wakeRoom(roomId)
  }
  const stop = (roomId: RoomId, room: Room, userId: UserId): void => {
    room.users.get(userId)?.cancel()
    if (room.users.delete(userId)) tell(roomId, room)
  }
  return {
    set(roomId, userId, ms) {
      const room = rooms.get(roomId) ?? { users: new Map(), told: { userIds: [], changedAt: 0 } }
      if (ms <= 0) {
        stop(roomId, room, userId)
        return
      }
      const timer = room.users.get(userId)
      if (timer === undefined && room.users.size >= MAX_USERS) return
      timer?.cancel()
      const end = (): void => stop(roomId, room, userId)
      room.users.set(userId, clock.setTimeout(end, Math.min(ms, MAX_MS), { unref: true }))
      if (timer === undefined) tell(roomId, room)
    },
    of: (roomId) => rooms.get(roomId)?.told,
  }
}

function forgetOldest(rooms: Map<RoomId, Room>): void {
  const [roomId, room] = rooms.entries().next().value!
  for (const timer of room.users.values()) timer.cancel()
  rooms.delete(roomId)
}
