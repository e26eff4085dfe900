import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { EventFlag, type LogEntry } from '@causeway/store/log/entry.ts'
import { listRoomsWithKey } from '@causeway/store/tables/state.ts'
import type { Homeserver } from '../../homeserver.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import { readNewestState } from '../../rooms/newest-state.ts'
import { inPortions } from './in-portions.ts'

/** Which rooms are encrypted, in memory for those in use. */
export interface RoomEncryption {
  /** By room number. */
  of(rooms: readonly UserRoom[]): Promise<Map<number, boolean>>
}

interface HeldEncryption {
  readonly roomId: RoomId
  readonly isEncrypted: boolean
  /** Position of the log up to which it is known. */
  readonly asOf: number
}

const NO_USERS: ReadonlySet<string> = new Set()
export const ENCRYPTION = { type: 'm.room.encryption', stateKey: '' }

export const isAlgorithm = (content: unknown): boolean =>
  isJsonObject(content) && typeof content['algorithm'] === 'string'

export function createRoomEncryption(
  hs: Pick<Homeserver, 'db' | 'log' | 'budget' | 'rooms'>,
): RoomEncryption {
  const encryptions = hs.budget.cache<number, HeldEncryption>({
    name: 'room_encryption',
    share: 0.005,
    weigh: () => 160,
  })
  /** Whether nothing has happened since that could have changed it. */
  const isCurrent = (held: HeldEncryption, room: UserRoom): boolean => {
    if (!hs.log.changes.event.mayHaveChanged(room.roomId, held.asOf)) return true
    const asOf = hs.log.head()
    const entries = hs.log.ring.sinceOf(held.asOf, new Set([room.roomId]), NO_USERS)
    if (entries === 'fell-behind' || entries.some(mayChangeEncryption)) return false
    encryptions.set(room.roomNid, { ...held, asOf })
    return true
  }

  return {
    async of(rooms) {
      const found = new Map<number, boolean>()
      const missing = rooms.filter((room) => {
        const held = encryptions.get(room.roomNid)
        if (held === undefined || held.roomId !== room.roomId || !isCurrent(held, room)) return true
        found.set(room.roomNid, held.isEncrypted)
        return false
      })
      if (missing.length === 0) return found
      const asOf = hs.log.head()
      const nids = missing.map(({ roomNid }) => roomNid)
      const ever = new Set(await listRoomsWithKey(hs.db, nids, ENCRYPTION.type))
      for (const { roomNid } of missing) found.set(roomNid, false)
      await inPortions(
        missing.filter(({ roomNid }) => ever.has(roomNid)),
        async ({ roomNid }) => {
          const [event] = await readNewestState(hs.rooms, await getRoomByNid(hs.rooms, roomNid), [ENCRYPTION])
          found.set(roomNid, isAlgorithm(event?.stored.content))
        },
      )
      for (const { roomId, roomNid } of missing)
        encryptions.set(roomNid, { roomId, isEncrypted: found.get(roomNid)!, asOf })
      return found
    },
  }
}

function mayChangeEncryption(entry: LogEntry): boolean {
  if (entry.kind !== 'event') return entry.kind !== 'receipt'
  const { type, flags, roomRoot, stateRoot } = entry.event
  return type === ENCRYPTION.type || (flags & EventFlag.branched) !== 0 || roomRoot !== stateRoot
}
