import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { advance, entriesOfRoom } from './advance.ts'
import { countRooms, type Counting } from './count-cold.ts'
import type { Unread, UnreadCounts } from './counts.ts'
import type { Tally } from './tally.ts'

interface Counted {
  readonly tally: Tally
  /** How; by other rules it is counted anew. */
  readonly by: Counting
}

const NOTHING: UnreadCounts = { main: { notify: 0, highlight: 0 }, threads: new Map() }

/**
 * Unread counts: counted once from what is stored, then kept up by each room's new events while they are in
 * memory. What is kept is replaced, never changed, so that two readers of one user do not disturb each other.
 */
export function createUnread(hs: Pick<Homeserver, 'rooms' | 'budget' | 'pushRules'>): Unread {
  const engine = hs.rooms
  const cache = hs.budget.cache<string, Counted>({
    name: 'unread_counts',
    share: 0.04,
    weigh: ({ tally }, key) => 300 + 2 * key.length + tally.size() * 200,
  })
  const keyOf = (userId: UserId, roomNid: number): string => `${roomNid} ${userId}`
  const keep = (room: { roomNid: number }, counted: Counted): Tally => {
    const key = keyOf(counted.by.userId, room.roomNid)
    const held = cache.peek(key)
    if (held === undefined || held.by.upTo <= counted.by.upTo) cache.set(key, counted)
    return counted.tally
  }
  const countAnew = async (by: Counting, rooms: readonly UserRoom[]): Promise<Tally | undefined> => {
    const tallies = await countRooms(engine, by, rooms)
    for (const [roomNid, tally] of tallies) keep({ roomNid }, { tally, by })
    return tallies.values().next().value
  }
  const countingOf = async (userId: UserId, upTo: number): Promise<Counting> => {
    const rules = await hs.pushRules.of(userId)
    const threads = rules.compiled.asksForThreads ? await engine.threads.of(userId) : undefined
    return { userId, rules, ignored: await engine.ignored.of(userId), threads, upTo }
  }
  const tallyOf = async (by: Counting, room: RoomInfo): Promise<Tally | undefined> => {
    const held = cache.get(keyOf(by.userId, room.roomNid))
    if (held !== undefined && isSameWay(held.by, by) && held.by.upTo <= by.upTo) {
      if (held.by.upTo === by.upTo) return held.tally
      const entries = entriesOfRoom(engine, room.roomId, held.by.upTo, by.upTo)
      const tally = held.tally.copy()
      if (entries !== undefined && (await advance(engine, room, by, tally, entries)))
        return keep(room, { tally, by })
    }
    const userRoom = (await engine.members.roomsOf(by.userId)).byId.get(room.roomId)
    return userRoom === undefined ? undefined : countAnew(by, [userRoom])
  }
  return {
    async countsOf(userId, room, position, separateThreads = false) {
      const tally = await tallyOf(await countingOf(userId, position), room)
      return tally?.counts(separateThreads) ?? NOTHING
    },
    async prepare(userId, rooms, position) {
      const by = await countingOf(userId, position)
      const missing = rooms.filter(({ roomNid }) => {
        const held = cache.peek(keyOf(userId, roomNid))
        return held === undefined || !isSameWay(held.by, by)
      })
      if (missing.length > 0) await countAnew(by, missing)
    },
  }
}

function isSameWay(a: Counting, b: Counting): boolean {
  return a.rules === b.rules && a.ignored === b.ignored && a.threads === b.threads
}
