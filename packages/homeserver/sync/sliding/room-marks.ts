import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { GLOBAL, listRoomMarks, type AccountDataRow } from '@causeway/store/tables/account-data.ts'
import type { Homeserver } from '../../homeserver.ts'

/** What a user has said of their rooms. Replaced as a whole when it changes, so that it can be compared by identity. */
export interface RoomMarks {
  /** Direct chats. */
  readonly direct: ReadonlySet<string>
  /** Tags by room number. */
  readonly tags: ReadonlyMap<number, ReadonlySet<string>>
}

export interface RoomMarksOf {
  of(userId: UserId): Promise<RoomMarks>
}

interface Held {
  readonly marks: RoomMarks
  /** The rows it was made of. */
  readonly text: string
  /** Position of the log before they were read. */
  readonly asOf: number
}

/** Rooms in `m.direct` that are looked at, and tags of a room. */
const MAX_DIRECT = 20_000
const MAX_TAGS = 100

function marksOf(rows: readonly AccountDataRow[]): RoomMarks {
  const direct = new Set<string>()
  const tags = new Map<number, ReadonlySet<string>>()
  for (const { room_nid: roomNid, content } of rows) {
    const value: unknown = JSON.parse(content)
    if (roomNid === GLOBAL) addDirect(direct, value)
    else tags.set(roomNid, tagsIn(value))
  }
  return { direct, tags }
}

/** https://spec.matrix.org/v1.19/client-server-api/#mdirect */
function addDirect(direct: Set<string>, content: unknown): void {
  if (!isJsonObject(content)) return
  for (const rooms of Object.values(content)) {
    for (const roomId of Array.isArray(rooms) ? (rooms as unknown[]) : [])
      if (typeof roomId === 'string' && direct.size < MAX_DIRECT) direct.add(roomId)
  }
}

/** https://spec.matrix.org/v1.19/client-server-api/#room-tagging */
function tagsIn(content: unknown): ReadonlySet<string> {
  const tags = isJsonObject(content) ? content['tags'] : undefined
  return new Set(isJsonObject(tags) ? Object.keys(tags).slice(0, MAX_TAGS) : [])
}

/** Keeps the marks of the users that are in use: read again only after they have set account data. */
export function createRoomMarks(hs: Pick<Homeserver, 'db' | 'log' | 'budget'>): RoomMarksOf {
  const cache = hs.budget.cache<UserId, Held>({
    name: 'room_marks',
    share: 0.01,
    weigh: ({ text }) => 200 + 6 * text.length,
  })
  return {
    async of(userId) {
      const held = cache.get(userId)
      const isChanged = held === undefined || hs.log.changes.account_data.mayHaveChanged(userId, held.asOf)
      if (held !== undefined && !isChanged) return held.marks
      const asOf = hs.log.head()
      const rows = await listRoomMarks(hs.db, userId)
      const text = JSON.stringify(rows.map((row) => [row.room_nid, row.content]))
      const marks = held?.text === text ? held.marks : marksOf(rows)
      cache.set(userId, { marks, text, asOf })
      return marks
    },
  }
}
