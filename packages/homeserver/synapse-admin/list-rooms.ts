// https://element-hq.github.io/synapse/latest/admin_api/rooms.html#list-room-api
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { countStateKeys, listRoomFigures, type RoomFigures } from '@causeway/store/tables/room-list.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineAdminRequest } from './admin-request.ts'
import { describeAll, viewRoom, type RoomDescription } from './describe-room.ts'
import { dirQuery, oneOf, pageQuery, readPageWanted } from './pages.ts'

type Key = string | number
type KeyOf = (figures: RoomFigures, description: RoomDescription) => Key

const text =
  (name: string): KeyOf =>
  (_, { texts }) =>
    (texts[name] ?? '').toLowerCase()

/** By what the tables say, and by what has to be read of each room's state. */
const BY_FIGURES: Readonly<Record<string, (figures: RoomFigures) => Key>> = {
  // The largest come first, as in Synapse.
  size: ({ joined }) => -joined,
  joined_members: ({ joined }) => -joined,
  joined_local_members: ({ joined_local: joined }) => -joined,
  version: ({ room_version: version }) => version,
  public: ({ published }) => published,
}
const BY_STATE: Readonly<Record<string, KeyOf>> = {
  alphabetical: text('name'),
  name: text('name'),
  canonical_alias: text('canonical_alias'),
  creator: (_, { creator }) => creator ?? '',
  encryption: text('encryption'),
  federatable: (_, { federatable }) => (federatable ? 1 : 0),
  join_rules: text('join_rules'),
  guest_access: text('guest_access'),
  history_visibility: text('history_visibility'),
}
const ORDERS = [...Object.keys(BY_FIGURES), ...Object.keys(BY_STATE), 'state_events']

interface Found {
  readonly figures: RoomFigures
  readonly key: Key
}

/** A part of the name or of the address, in any case of letters, or the whole id. */
function matches(term: string, { room_id: roomId }: RoomFigures, { texts }: RoomDescription): boolean {
  const lower = term.toLowerCase()
  const isIn = (name: string): boolean => (texts[name] ?? '').toLowerCase().includes(lower)
  return roomId === term || isIn('name') || isIn('canonical_alias')
}

async function find(hs: Homeserver, all: readonly RoomFigures[], order: string, term: string | undefined) {
  const byFigures = BY_FIGURES[order]
  if (order === 'state_events' && term === undefined) return await byStateEvents(hs, all)
  if (byFigures !== undefined && term === undefined)
    return all.map((figures): Found => ({ figures, key: byFigures(figures) }))
  const keyOf: KeyOf = byFigures ?? BY_STATE[order] ?? (() => 0)
  const found = await describeAll<Found>(hs, all, (figures, description) =>
    term === undefined || matches(term, figures, description)
      ? { figures, key: keyOf(figures, description) }
      : undefined,
  )
  return order === 'state_events'
    ? await byStateEvents(
        hs,
        found.map(({ figures }) => figures),
      )
    : found
}

async function byStateEvents(hs: Homeserver, rooms: readonly RoomFigures[]): Promise<Found[]> {
  const counts = await countStateKeys(
    hs.db,
    rooms.map(({ nid }) => nid),
  )
  return rooms.map((figures) => ({ figures, key: -(counts.get(figures.nid) ?? 0) }))
}

function compare(a: Found, b: Found): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  return a.figures.room_id < b.figures.room_id ? -1 : 1
}

async function viewPage(hs: Homeserver, page: readonly RoomFigures[]): Promise<JsonObject[]> {
  const counts = await countStateKeys(
    hs.db,
    page.map(({ nid }) => nid),
  )
  return describeAll(hs, page, (figures, description) =>
    viewRoom(figures, description, counts.get(figures.nid) ?? 0),
  )
}

const flag = Type.Optional(Type.Boolean())

export const synapseListRooms = defineAdminRequest({
  operation: 'synapseListRooms',
  method: 'GET',
  path: '/v1/rooms',
  query: Type.Object({
    ...pageQuery,
    order_by: Type.Optional(oneOf(ORDERS)),
    dir: dirQuery,
    search_term: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    public_rooms: flag,
    empty_rooms: flag,
  }),
  run: async (hs, { query }) => {
    const { from, limit } = readPageWanted(query)
    const all = await listRoomFigures(hs.db, { published: query.public_rooms, empty: query.empty_rooms })
    const found = (await find(hs, all, query.order_by ?? 'name', query.search_term)).toSorted(compare)
    if (query.dir === 'b') found.reverse()
    const page = found.slice(from, from + limit).map(({ figures }) => figures)
    const isMore = from + page.length < found.length && page.length > 0
    return {
      rooms: await viewPage(hs, page),
      offset: from,
      total_rooms: found.length,
      ...(isMore ? { next_batch: from + page.length } : {}),
      ...(from > 0 ? { prev_batch: Math.max(0, from - limit) } : {}),
    }
  },
})
