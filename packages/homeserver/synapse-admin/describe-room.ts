import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomFigures } from '@causeway/store/tables/room-list.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'

/** What a list shows of a room's state, and the key of the content that says it. */
const SHOWN = [
  { as: 'name', type: 'm.room.name', key: 'name' },
  { as: 'canonical_alias', type: 'm.room.canonical_alias', key: 'alias' },
  { as: 'encryption', type: 'm.room.encryption', key: 'algorithm' },
  { as: 'join_rules', type: 'm.room.join_rules', key: 'join_rule' },
  { as: 'guest_access', type: 'm.room.guest_access', key: 'guest_access' },
  { as: 'history_visibility', type: 'm.room.history_visibility', key: 'history_visibility' },
] as const
/** And the page of one room beside that. */
const MORE = [
  { as: 'topic', type: 'm.room.topic', key: 'topic' },
  { as: 'avatar', type: 'm.room.avatar', key: 'url' },
  { as: 'replacement_room', type: 'm.room.tombstone', key: 'replacement_room' },
] as const

/** Rooms whose state is read at the same time. */
const AT_ONCE = 64

/** What a room says of itself, null where it says nothing; of a room that we know by an invitation, nothing. */
export interface RoomDescription {
  readonly creator: string | null
  readonly federatable: boolean
  readonly roomType: string | null
  readonly isReplaced: boolean
  readonly texts: Readonly<Record<string, string | null>>
}

const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null

/** Reads a room's state as it is now. @param whole also what only the page of one room shows */
export async function describeRoom(
  { rooms }: Pick<Homeserver, 'rooms'>,
  roomId: string,
  whole = false,
): Promise<RoomDescription> {
  const fields = whole ? [...SHOWN, ...MORE] : SHOWN
  const room = await findRoom(rooms, roomId as RoomId)
  const names = ['m.room.create', ...fields.map(({ type }) => type)].map((type) => ({ type, stateKey: '' }))
  const [create, ...entries] = room === undefined ? [] : await readNewestState(rooms, room, names)
  const texts = fields.map(({ as, key }, index) => [as, textOf(entries[index]?.stored.content[key])] as const)
  return {
    creator: create?.stored.sender ?? null,
    federatable: create?.stored.content['m.federate'] !== false,
    roomType: textOf(create?.stored.content['type']),
    isReplaced: whole && entries.at(-1) !== undefined,
    texts: Object.fromEntries(texts),
  }
}

/** Describes many rooms, some at a time, and keeps of each what is asked for; undefined leaves it out. @param whole as of `describeRoom` */
export async function describeAll<T>(
  hs: Pick<Homeserver, 'rooms'>,
  rooms: readonly RoomFigures[],
  keep: (figures: RoomFigures, description: RoomDescription) => T | undefined,
  whole = false,
): Promise<T[]> {
  const kept: T[] = []
  for (let at = 0; at < rooms.length; at += AT_ONCE) {
    const some = rooms.slice(at, at + AT_ONCE)
    const descriptions = await Promise.all(some.map(({ room_id: roomId }) => describeRoom(hs, roomId, whole)))
    for (const [index, figures] of some.entries()) {
      const one = keep(figures, descriptions[index]!)
      if (one !== undefined) kept.push(one)
    }
  }
  return kept
}

/** As Synapse lists rooms. https://element-hq.github.io/synapse/latest/admin_api/rooms.html#list-room-api */
export function viewRoom(
  figures: RoomFigures,
  { creator, federatable, roomType, texts }: RoomDescription,
  stateEvents: number,
): JsonObject {
  return {
    room_id: figures.room_id,
    joined_members: figures.joined,
    joined_local_members: figures.joined_local,
    version: figures.room_version,
    creator,
    federatable,
    public: figures.published === 1,
    state_events: stateEvents,
    room_type: roomType,
    ...texts,
  }
}
