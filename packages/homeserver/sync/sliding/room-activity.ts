import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { listNewestEvents } from '@causeway/store/tables/events.ts'
import type { Homeserver } from '../../homeserver.ts'
import { BEGINNING, isShown, listTimeline } from '../../rooms/read-events.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'

/** A room, as far as it is asked for here. */
interface RoomName {
  readonly roomId: RoomId
  readonly roomNid: number
}

/** When something last happened in rooms: in memory for those in use, and kept up by the log. */
export interface RoomActivity {
  /** Log numbers of the newest events, by room number; a query for those not in memory. */
  newest(rooms: readonly RoomName[]): Promise<Map<number, number>>
  /** Log number of the newest event that counts as activity (`bump_stamp`); 0 where there is none. */
  bumpStamp(room: RoomInfo): Promise<number>
}

interface Held extends RoomName {
  readonly newest: number
  /** Undefined where it was not looked for. */
  readonly bump: number | undefined
  /** Position of the log up to which it is known. */
  readonly asOf: number
}

/** https://github.com/matrix-org/matrix-spec-proposals/pull/4186, `bump_stamp`, and the names that clients still use. */
const BUMP_TYPES: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.call.invite',
  'm.poll.start',
  'm.beacon_info',
  'org.matrix.msc3381.poll.start',
  'org.matrix.msc3672.beacon_info',
])

/** How far back such an event is looked for: where there is none, the last one looked at stands for it. */
const PORTIONS = [50, 200, 500]

const NO_USERS: ReadonlySet<string> = new Set()

export const isBump = ({ type, nid }: StoredEvent): boolean => nid > 0 && BUMP_TYPES.has(type)

export function createRoomActivity(hs: Pick<Homeserver, 'log' | 'budget' | 'rooms'>): RoomActivity {
  const { log } = hs
  const engine = hs.rooms
  const cache = hs.budget.cache<number, Held>({ name: 'room_activity', share: 0.01, weigh: () => 160 })

  /** What is held, with what happened since; undefined where that is not known. */
  const upToDate = ({ roomId, roomNid }: RoomName): Held | undefined => {
    const held = cache.get(roomNid)
    // Numbers of purged rooms are used again.
    if (held === undefined || held.roomId !== roomId) return undefined
    if (!log.changes.event.mayHaveChanged(roomId, held.asOf)) return held
    const asOf = log.head()
    const entries = log.ring.sinceOf(held.asOf, new Set([roomId]), NO_USERS)
    if (entries === 'fell-behind') return undefined
    const now = advance(held, entries, asOf)
    cache.set(roomNid, now)
    return now
  }

  const load = async (rooms: readonly RoomName[]): Promise<Held[]> => {
    const asOf = log.head()
    const names = new Map(rooms.map((room) => [room.roomNid, room]))
    const loaded: Held[] = []
    for (const { room_nid: roomNid, nid } of await listNewestEvents(engine.db, [...names.keys()])) {
      const { roomId } = names.get(roomNid)!
      loaded.push({ roomId, roomNid, newest: nid ?? 0, bump: undefined, asOf })
    }
    for (const held of loaded) cache.set(held.roomNid, held)
    return loaded
  }

  return {
    async newest(rooms) {
      const found = new Map<number, number>()
      const missing: RoomName[] = []
      for (const room of rooms) {
        const held = upToDate(room)
        if (held === undefined) missing.push(room)
        else found.set(room.roomNid, held.newest)
      }
      if (missing.length > 0) for (const held of await load(missing)) found.set(held.roomNid, held.newest)
      return found
    },
    async bumpStamp(room) {
      const held = upToDate(room) ?? (await load([room]))[0]
      if (held === undefined) return 0
      if (held.bump !== undefined) return held.bump
      const bump = await findBump(engine, room)
      const now = upToDate(room)
      if (now !== undefined && now.bump === undefined) cache.set(room.roomNid, { ...now, bump })
      return now?.bump ?? bump
    },
  }
}

function advance(held: Held, entries: readonly LogEntry[], asOf: number): Held {
  let { newest, bump } = held
  for (const entry of entries) {
    if (entry.kind !== 'event' || !isShown(entry.event)) continue
    newest = entry.event.nid
    if (isBump(entry.event)) bump = entry.event.nid
  }
  return { ...held, newest, bump, asOf }
}

async function findBump(engine: Homeserver['rooms'], room: RoomInfo): Promise<number> {
  let before: StoredEvent | undefined
  for (const limit of PORTIONS) {
    const range = { after: BEGINNING, before: before?.nid ?? Number.MAX_SAFE_INTEGER, backwards: true, limit }
    const events = await listTimeline(engine, room, range)
    const bump = events.find(isBump)
    if (bump !== undefined) return bump.nid
    before = events.at(-1) ?? before
    if (events.length < limit) break
  }
  return Math.max(0, before?.nid ?? 0)
}
