import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { listFirstEvents } from '@causeway/store/tables/events.ts'
import type { Homeserver } from '../../homeserver.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import { readNewestState } from '../../rooms/newest-state.ts'
import { strippedState } from '../../rooms/stripped-state.ts'
import { inPortions } from './in-portions.ts'
import { createRoomEncryption, ENCRYPTION, isAlgorithm } from './room-encryption.ts'

/** What lists are filtered by; undefined where nothing is known of it. */
export interface RoomKind {
  /** `null` for a room without a type. */
  readonly roomType: string | null | undefined
  readonly isEncrypted: boolean | undefined
}

/** What rooms are, in memory for those in use. */
export interface RoomKinds {
  /** By room number. @param wanted only what is asked for is looked up */
  of(
    userId: UserId,
    rooms: readonly UserRoom[],
    wanted: { readonly roomType: boolean; readonly encryption: boolean },
  ): Promise<Map<number, RoomKind>>
}

interface HeldType {
  readonly roomId: RoomId
  readonly roomType: string | null
}

const CREATE = { type: 'm.room.create', stateKey: '' }

function typeIn(content: unknown): string | null {
  const type = isJsonObject(content) ? content['type'] : undefined
  return typeof type === 'string' ? type : null
}

export function createRoomKinds(hs: Pick<Homeserver, 'db' | 'log' | 'budget' | 'rooms'>): RoomKinds {
  const types = hs.budget.cache<number, HeldType>({ name: 'room_types', share: 0.005, weigh: () => 160 })
  const encryption = createRoomEncryption(hs)
  const readTypes = (rooms: readonly UserRoom[]): Promise<Map<number, string | null>> =>
    throughCache(types, rooms, async (missing) => {
      const firsts = await listFirstEvents(
        hs.db,
        missing.map(({ roomNid }) => roomNid),
      )
      const found = new Map<number, string | null>()
      for (const { room_nid: roomNid, json } of firsts) {
        const event = parseJson(json)
        if (isJsonObject(event) && event['type'] === CREATE.type) found.set(roomNid, typeIn(event['content']))
      }
      const others = missing.filter(({ roomNid }) => !found.has(roomNid))
      await inPortions(others, async ({ roomNid }) => {
        const [create] = await readNewestState(hs.rooms, await getRoomByNid(hs.rooms, roomNid), [CREATE])
        if (create !== undefined) found.set(roomNid, typeIn(create.stored.content))
      })
      return found
    })

  /** What somebody who is not in a room was told of it. */
  const fromOutside = async (userId: UserId, { roomNid, eventNid }: UserRoom): Promise<RoomKind> => {
    const room = await getRoomByNid(hs.rooms, roomNid)
    const told = (await strippedState(hs.rooms, room, eventNid, userId)).map((text) => parseJson(text))
    const contentOf = (type: string): unknown =>
      told.filter(isJsonObject).find((event) => event['type'] === type)?.['content']
    const create = contentOf(CREATE.type)
    if (create === undefined) return { roomType: undefined, isEncrypted: undefined }
    return { roomType: typeIn(create), isEncrypted: isAlgorithm(contentOf(ENCRYPTION.type)) }
  }

  return {
    async of(userId, rooms, wanted) {
      const kinds = new Map<number, RoomKind>()
      if (!wanted.roomType && !wanted.encryption) return kinds
      const isOutside = ({ membership }: UserRoom): boolean =>
        membership === 'invite' || membership === 'knock'
      const inside = rooms.filter((room) => !isOutside(room))
      const roomTypes = await readTypes(inside)
      const known = inside.filter(({ roomNid }) => roomTypes.has(roomNid))
      const encrypted = wanted.encryption ? await encryption.of(known) : new Map<number, boolean>()
      for (const { roomNid } of inside)
        kinds.set(roomNid, { roomType: roomTypes.get(roomNid), isEncrypted: encrypted.get(roomNid) })
      await inPortions(rooms.filter(isOutside), async (room) => {
        kinds.set(room.roomNid, await fromOutside(userId, room))
      })
      return kinds
    },
  }
}

/** Types of rooms never change, but numbers of purged rooms are used again. */
async function throughCache(
  cache: { get(key: number): HeldType | undefined; set(key: number, value: HeldType): void },
  rooms: readonly UserRoom[],
  read: (missing: readonly UserRoom[]) => Promise<Map<number, string | null>>,
): Promise<Map<number, string | null>> {
  const found = new Map<number, string | null>()
  const missing = rooms.filter(({ roomId, roomNid }) => {
    const held = cache.get(roomNid)
    if (held === undefined || held.roomId !== roomId) return true
    found.set(roomNid, held.roomType)
    return false
  })
  if (missing.length === 0) return found
  const names = new Map(missing.map(({ roomId, roomNid }) => [roomNid, roomId]))
  for (const [roomNid, roomType] of await read(missing)) {
    cache.set(roomNid, { roomId: names.get(roomNid)!, roomType })
    found.set(roomNid, roomType)
  }
  return found
}
