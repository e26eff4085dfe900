import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { RoomEngine } from '../rooms/engine.ts'
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

/** State that a list of rooms shows; no key of it has a name. */
export const LISTED_TYPES: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.avatar',
  ...SHOWN.map(({ type }) => type),
])

export type ShownText = (typeof SHOWN | typeof MORE)[number]['as']

/** What a room says of itself, null where it says nothing. */
export interface RoomDescription {
  readonly creator: string | null
  readonly federatable: boolean
  readonly roomType: string | null
  readonly isReplaced: boolean
  /** Topic, picture and replacement only where they were asked for. */
  readonly texts: Readonly<Partial<Record<ShownText, string | null>>>
}

const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null

/**
 * Reads a room's state as it is now; of a room that we know by an invitation there is none.
 * @param whole also what only the page of one room shows
 */
export async function describeRoom(
  rooms: RoomEngine,
  room: RoomInfo | undefined,
  whole = false,
): Promise<RoomDescription> {
  const fields = whole ? [...SHOWN, ...MORE] : SHOWN
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
