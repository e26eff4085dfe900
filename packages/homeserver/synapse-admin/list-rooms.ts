// https://element-hq.github.io/synapse/latest/admin_api/rooms.html#list-room-api
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import {
  countMembersOf,
  countStateKeys,
  listRooms,
  ROOM_ORDERS,
  type ListedRoomRow,
} from '@causeway/store/tables/room-list.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, nextFrom, oneOf, pageQuery, readPageWanted } from './pages.ts'
import { viewRoom } from './view-room.ts'

const orNull = (text: string | null): string | null => (text === '' ? null : text)

async function viewPage({ db }: Homeserver, page: readonly ListedRoomRow[]): Promise<JsonObject[]> {
  const nids = page.map(({ nid }) => nid)
  const [members, states] = await Promise.all([countMembersOf(db, nids), countStateKeys(db, nids)])
  return page.map((row) =>
    viewRoom(
      {
        roomId: row.room_id,
        version: row.room_version,
        isPublic: row.published === 1,
        joined: members.get(row.nid)?.joined ?? 0,
        joinedLocal: members.get(row.nid)?.joinedLocal ?? 0,
        stateEvents: states.get(row.nid) ?? 0,
      },
      {
        creator: orNull(row.creator),
        federatable: row.federatable !== 0,
        roomType: orNull(row.room_type),
        texts: {
          name: orNull(row.name),
          canonical_alias: orNull(row.canonical_alias),
          encryption: orNull(row.encryption),
          join_rules: orNull(row.join_rules),
          guest_access: orNull(row.guest_access),
          history_visibility: orNull(row.history_visibility),
        },
      },
    ),
  )
}

const flag = Type.Optional(Type.Boolean())

export const synapseListRooms = defineAdminRequest({
  operation: 'synapseListRooms',
  method: 'GET',
  path: '/v1/rooms',
  query: Type.Object({
    ...pageQuery,
    order_by: Type.Optional(oneOf(ROOM_ORDERS)),
    dir: dirQuery,
    search_term: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    public_rooms: flag,
    empty_rooms: flag,
  }),
  run: async (hs, { query }) => {
    const page = readPageWanted(query)
    await hs.roomList.caughtUp()
    const { rows, total } = await listRooms(hs.db, {
      ...page,
      published: query.public_rooms,
      empty: query.empty_rooms,
      term: query.search_term,
      orderBy: query.order_by ?? 'name',
      backwards: query.dir === 'b',
    })
    const next = nextFrom(page, rows.length, total)
    return {
      rooms: await viewPage(hs, rows),
      offset: page.from,
      total_rooms: total,
      ...(next === undefined ? {} : { next_batch: next }),
      ...(page.from > 0 ? { prev_batch: Math.max(0, page.from - page.limit) } : {}),
    }
  },
})
