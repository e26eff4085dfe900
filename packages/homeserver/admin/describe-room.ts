import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

/** What an operator may want to know of a room's state, and the key of the content that says it. */
const SHOWN = [
  { as: 'name', type: 'm.room.name', key: 'name' },
  { as: 'alias', type: 'm.room.canonical_alias', key: 'alias' },
  { as: 'topic', type: 'm.room.topic', key: 'topic' },
  { as: 'kind', type: 'm.room.create', key: 'type' },
  { as: 'join_rule', type: 'm.room.join_rules', key: 'join_rule' },
  { as: 'history', type: 'm.room.history_visibility', key: 'history_visibility' },
  { as: 'encryption', type: 'm.room.encryption', key: 'algorithm' },
  { as: 'replaced_by', type: 'm.room.tombstone', key: 'replacement_room' },
] as const

export type Shown = (typeof SHOWN)[number]['as']

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** What the room's state says now; null where it says nothing. */
export async function describeState(
  { rooms }: Pick<Homeserver, 'rooms'>,
  room: RoomInfo,
  wanted: readonly Shown[] = SHOWN.map(({ as }) => as),
): Promise<JsonObject & { creator?: string }> {
  const shown = SHOWN.filter(({ as }) => wanted.includes(as))
  const names = [
    { type: 'm.room.create', stateKey: '' },
    ...shown.map(({ type }) => ({ type, stateKey: '' })),
  ]
  const [create, ...entries] = await readNewestState(rooms, room, names)
  const fields = shown.map(({ as, key }, index) => [as, textOf(entries[index]?.stored.content[key])] as const)
  return { creator: create?.stored.sender ?? '', ...Object.fromEntries(fields) }
}
