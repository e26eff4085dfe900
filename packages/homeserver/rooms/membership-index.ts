import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { CurrentMembership } from '@causeway/store/log/member-changes.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import { countMembers, listLocalMembers, listMembershipsOfUser } from '@causeway/store/tables/rooms.ts'

/** A user's standing in one room. */
export interface UserRoom {
  readonly roomId: RoomId
  readonly roomNid: number
  readonly membership: Membership
  /** Log number of the membership event. */
  readonly eventNid: number
  readonly forgotten: boolean
}

/** Where a user is: replaced as a whole when it changes, so that it can be compared by identity. */
export interface UserRooms {
  /** Every room the user has or had a membership in. */
  readonly byId: ReadonlyMap<RoomId, UserRoom>
  readonly joined: ReadonlySet<RoomId>
  /** Rooms whose news concern the user: joined, invited to, knocked on. */
  readonly active: ReadonlySet<RoomId>
  /** Log number of the last leave, kick or ban; what came before is old news. */
  readonly lastLeft: number
}

function isOver(membership: Membership): boolean {
  return membership === 'leave' || membership === 'ban'
}

function userRoomsOf(byId: ReadonlyMap<RoomId, UserRoom>): UserRooms {
  const joined = new Set<RoomId>()
  const active = new Set<RoomId>()
  let lastLeft = 0
  for (const room of byId.values()) {
    if (room.membership === 'join') joined.add(room.roomId)
    if (isOver(room.membership)) lastLeft = Math.max(lastLeft, room.eventNid)
    else active.add(room.roomId)
  }
  return { byId, joined, active, lastLeft }
}

/** The rooms a user is in, and those that they left after a log position: of these the end still has to be told. */
export function roomsConcerning(rooms: UserRooms, since: number): ReadonlySet<RoomId> {
  if (rooms.lastLeft <= since) return rooms.active
  const all = new Set(rooms.active)
  for (const room of rooms.byId.values()) if (room.eventNid > since) all.add(room.roomId)
  return all
}

function withRoom(rooms: UserRooms, room: UserRoom): UserRooms {
  return userRoomsOf(new Map(rooms.byId).set(room.roomId, room))
}

export interface RoomMemberCounts {
  readonly joined: number
  readonly invited: number
}

/**
 * Who is where, in memory for the users and rooms in use, loaded from `memberships` and kept true by the
 * log: `apply` is called for every committed change, in order, before anybody is told of it.
 */
export interface MembershipIndex {
  /** Every room a user has or had a membership in. */
  roomsOf(userId: UserId): Promise<UserRooms>
  /** The same when it is in memory, without a query. */
  peekRoomsOf(userId: UserId): UserRooms | undefined
  /** Users of ours that are joined to a room. */
  localMembers(roomNid: number): Promise<ReadonlySet<UserId>>
  counts(roomNid: number): Promise<RoomMemberCounts>
  /** Whether both are joined to a room of ours, now. */
  shareRoom(a: UserId, b: UserId): Promise<boolean>
  apply(change: CurrentMembership): void
  /** A membership event that was held without state has got another number. */
  renumber(userId: UserId, roomId: RoomId, nids: { readonly from: number; readonly to: number }): void
  /** Forgets everything: the log ran ahead of what could be followed. */
  clear(): void
  /** Members of a room came all at once. */
  recount(roomNid: number): void
  /** A room was purged: nobody is or was in it. */
  forgetRoom(roomId: RoomId, roomNid: number): void
  /** The user forgot a room; the row was written by the caller. */
  applyForget(userId: UserId, roomId: RoomId): void
}

/** Loads `key` through a cache; what changed while it was read is read again instead of cached. */
function loader<K, V>(cache: Cache<K, V>, read: (key: K) => Promise<V>) {
  const flights = createSingleFlight<K, V>()
  return {
    get: (key: K): Promise<V> => {
      const held = cache.get(key)
      if (held !== undefined) return Promise.resolve(held)
      return flights.run(key, async (isCurrent) => {
        const value = await read(key)
        if (isCurrent()) cache.set(key, value)
        return value
      })
    },
    /** The stored rows changed: a read under way must not be cached. */
    touch: (key: K): void => flights.forget(key),
    /** The same for every key. */
    touchAll: (): void => flights.forgetAll(),
  }
}

async function readUserRooms(db: Database, userId: UserId): Promise<UserRooms> {
  const rows = await listMembershipsOfUser(db, userId)
  return userRoomsOf(
    new Map(
      rows.map((row) => [
        row.room_id as RoomId,
        {
          roomId: row.room_id as RoomId,
          roomNid: row.room_nid,
          membership: row.membership as Membership,
          eventNid: row.event_nid,
          forgotten: row.forgotten === 1,
        },
      ]),
    ),
  )
}

async function readCounts(db: Database, roomNid: number): Promise<RoomMemberCounts> {
  const [joined, invited] = await Promise.all([
    countMembers(db, roomNid, 'join'),
    countMembers(db, roomNid, 'invite'),
  ])
  return { joined, invited }
}

interface IndexCaches {
  readonly users: Cache<UserId, UserRooms>
  readonly locals: Cache<number, Set<UserId>>
  readonly counts: Cache<number, RoomMemberCounts>
}

/** What a committed membership event changes in the caches. Only what they hold. */
function applyToCaches(caches: IndexCaches, { userId, membership, event }: CurrentMembership): void {
  const { roomId, roomNid } = event
  const rooms = caches.users.peek(userId)
  if (rooms !== undefined) {
    caches.users.set(
      userId,
      withRoom(rooms, { roomId, roomNid, membership, eventNid: event.nid, forgotten: false }),
    )
  }
  caches.counts.delete(roomNid)
  const members = caches.locals.peek(roomNid)
  if (members === undefined) return
  if (membership === 'join') members.add(userId)
  else members.delete(userId)
}

function shareAny(a: UserRooms, b: UserRooms): boolean {
  const [fewer, more] = a.joined.size < b.joined.size ? [a.joined, b.joined] : [b.joined, a.joined]
  for (const roomId of fewer) if (more.has(roomId)) return true
  return false
}

/** @param isLocal whether a user is ours: only those are kept as members. */
export function createMembershipIndex(
  db: Database,
  budget: MemoryBudget,
  isLocal: (userId: string) => boolean,
): MembershipIndex {
  const caches: IndexCaches = {
    users: budget.cache({
      name: 'rooms_of_user',
      share: 0.06,
      weigh: (rooms: UserRooms) => 200 + rooms.byId.size * 350,
    }),
    locals: budget.cache({
      name: 'local_members',
      share: 0.05,
      weigh: (members: Set<UserId>) => 200 + members.size * 90,
    }),
    counts: budget.cache({ name: 'member_counts', share: 0.01, weigh: () => 60 }),
  }
  const users = loader(caches.users, (userId) => readUserRooms(db, userId))
  const locals = loader(
    caches.locals,
    async (roomNid) => new Set((await listLocalMembers(db, roomNid, 'join')) as UserId[]),
  )
  const counts = loader(caches.counts, (roomNid) => readCounts(db, roomNid))
  return {
    roomsOf: users.get,
    peekRoomsOf: (userId) => caches.users.peek(userId),
    localMembers: locals.get,
    counts: counts.get,
    shareRoom: async (a, b) => shareAny(await users.get(a), await users.get(b)),
    apply(change) {
      const { userId, event } = change
      users.touch(userId)
      counts.touch(event.roomNid)
      if (!isLocal(userId)) {
        caches.users.delete(userId)
        caches.counts.delete(event.roomNid)
        return
      }
      locals.touch(event.roomNid)
      applyToCaches(caches, change)
    },
    renumber(userId, roomId, { from, to }) {
      users.touch(userId)
      const rooms = caches.users.peek(userId)
      const room = rooms?.byId.get(roomId)
      if (room?.eventNid === from) caches.users.set(userId, withRoom(rooms!, { ...room, eventNid: to }))
    },
    clear() {
      // What is read by now may be of before as well.
      for (const { touchAll } of [users, locals, counts]) touchAll()
      for (const cache of [caches.users, caches.locals, caches.counts]) cache.clear()
    },
    recount(roomNid) {
      counts.touch(roomNid)
      caches.counts.delete(roomNid)
    },
    forgetRoom(roomId, roomNid) {
      users.touchAll()
      caches.users.deleteWhere((_userId, rooms) => rooms.byId.has(roomId))
      locals.touch(roomNid)
      caches.locals.delete(roomNid)
      counts.touch(roomNid)
      caches.counts.delete(roomNid)
    },
    applyForget(userId, roomId) {
      users.touch(userId)
      const rooms = caches.users.peek(userId)
      const room = rooms?.byId.get(roomId)
      if (room !== undefined) caches.users.set(userId, withRoom(rooms!, { ...room, forgotten: true }))
    },
  }
}
