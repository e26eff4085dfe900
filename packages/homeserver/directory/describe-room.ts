import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'

/** A room as the directory lists it. */
export interface ListedRoom {
  readonly roomNid: number
  readonly joined: number
  /** Of the create event; null for an ordinary room. */
  readonly roomType: string | null
  /** What a search looks through, in lower case. */
  readonly searchText: string
  /** The entry as JSON text. */
  readonly json: string
}

/** State that shows in the directory, with the key that holds it and the name it is given there. */
const SHOWN = [
  { type: 'm.room.name', key: 'name', as: 'name' },
  { type: 'm.room.topic', key: 'topic', as: 'topic' },
  { type: 'm.room.canonical_alias', key: 'alias', as: 'canonical_alias' },
  { type: 'm.room.avatar', key: 'url', as: 'avatar_url' },
  { type: 'm.room.join_rules', key: 'join_rule', as: 'join_rule' },
  { type: 'm.room.create', key: 'type', as: 'room_type' },
] as const
const GUEST_ACCESS = 'm.room.guest_access'
const VISIBILITY = 'm.room.history_visibility'

/** Types of events after which a room has to be described anew. */
export const DESCRIBING_TYPES: ReadonlySet<string> = new Set([
  ...SHOWN.map(({ type }) => type),
  GUEST_ACCESS,
  VISIBILITY,
  'm.room.member',
])

const SEARCHED = ['name', 'topic', 'canonical_alias'] as const

/** https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms */
export async function describeRoom(engine: RoomEngine, roomNid: number): Promise<ListedRoom> {
  const room = await getRoomByNid(engine, roomNid)
  const types = [...SHOWN.map(({ type }) => type), GUEST_ACCESS, VISIBILITY]
  const names = types.map((type) => ({ type, stateKey: '' }))
  const [entries, { joined }] = await Promise.all([
    readNewestState(engine, room, names),
    engine.members.counts(roomNid),
  ])
  const contents = new Map(types.map((type, index) => [type as string, entries[index]?.stored.content ?? {}]))
  const shown: Record<string, string> = {}
  for (const { type, key, as } of SHOWN) {
    const value = contents.get(type)![key]
    if (typeof value === 'string' && value !== '') shown[as] = value
  }
  const entry: JsonObject = {
    room_id: room.roomId,
    num_joined_members: joined,
    world_readable: contents.get(VISIBILITY)!['history_visibility'] === 'world_readable',
    guest_can_join: contents.get(GUEST_ACCESS)!['guest_access'] === 'can_join',
    ...shown,
  }
  return {
    roomNid,
    joined,
    roomType: shown['room_type'] ?? null,
    searchText: SEARCHED.map((key) => shown[key] ?? '')
      .join('\n')
      .toLowerCase(),
    json: JSON.stringify(entry),
  }
}
