// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages
import { Type } from 'typebox'
import { missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import { BEGINNING, listTimeline } from '../rooms/read-events.ts'
import { renderEvents, renderPlain } from '../rooms/render-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import type { EventFilter } from '../sync/filter.ts'
import { formatPaginationToken, parsePaginationToken } from '../sync/pagination-token.ts'
import { parseFilterQuery } from './filter-query.ts'
import { v3 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

const MAX_LIMIT = 1_000
/** Portions read for a filter that hardly anything passes, before the client is asked to come again. */
const MAX_PORTIONS = 8

export interface Page {
  readonly events: readonly VisibleEvent[]
  /** Where the next page begins; undefined at the end of what there is. */
  readonly next: number | undefined
}

export interface PageRequest {
  /** Place between two events: before this number. */
  readonly from: number
  /** Where to stop, as such a place. */
  readonly to: number | undefined
  readonly backwards: boolean
  readonly limit: number
  readonly filter: EventFilter
}

/** One page of a room's timeline that a user may see, in the direction of reading. */
export async function readPage(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  request: PageRequest,
): Promise<Page> {
  const { backwards, limit, filter } = request
  const events: VisibleEvent[] = []
  let place = Math.min(request.from, access.upTo + 1)
  const end = request.to ?? (backwards ? BEGINNING : access.upTo + 1)
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const size = Math.min(limit - events.length + 1, MAX_LIMIT)
    const range = backwards
      ? { after: Math.max(BEGINNING, end - 1), before: place }
      : { after: Math.max(BEGINNING, place - 1), before: Math.min(end, access.upTo + 1) }
    const read = await listTimeline(hs.rooms, access.room, { ...range, backwards, limit: size })
    const passing = read.filter((event) => filter.passes(event))
    for (const visible of await filterVisible(hs.rooms, access.room, session.userId, passing)) {
      if (events.length === limit) return { events, next: backwards ? place : visible.event.nid }
      events.push(visible)
      place = backwards ? visible.event.nid : visible.event.nid + 1
    }
    // At the end: a page that has events still says where it ended, as clients expect.
    if (read.length < size) return { events, next: events.length === 0 ? undefined : place }
    place = backwards ? read.at(-1)!.nid : read.at(-1)!.nid + 1
  }
  return { events, next: place }
}

export const getRoomEvents = defineEndpoint({
  operation: 'getRoomEvents',
  method: 'GET',
  ...v3('/rooms/:roomId/messages'),
  auth: 'user',
  params: roomParams,
  query: Type.Object({
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  run: async (hs, { session, params, query }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    // Asked for only now: who may not read the room is told that first.
    if (query.dir === undefined) throw missingParam('Say in dir which way to read: b or f')
    const backwards = query.dir === 'b'
    const filter = parseFilterQuery(query.filter)
    const from =
      query.from === undefined ? (backwards ? access.upTo + 1 : BEGINNING) : parsePaginationToken(query.from)
    const limit = Math.min(query.limit ?? filter.limit ?? 10, MAX_LIMIT)
    const to = query.to === undefined ? undefined : parsePaginationToken(query.to)
    const page = await readPage(hs, session, access, { from, to, backwards, limit, filter })
    const chunk = await renderEvents(hs.rooms, access.room, session, page.events)
    const state = filter.lazyLoadMembers ? await sendersState(hs, access, page.events) : []
    const start = query.from ?? formatPaginationToken(backwards ? access.upTo + 1 : 0)
    const next = page.next === undefined ? '' : `,"end":"${formatPaginationToken(page.next)}"`
    const stateJson = state.length === 0 ? '' : `,"state":[${state.join(',')}]`
    return new RawJson(`{"chunk":[${chunk.join(',')}],"start":${JSON.stringify(start)}${next}${stateJson}}`)
  },
})

/** Memberships of whoever speaks in a page, as of its first event, for clients that load members lazily. */
async function sendersState(
  hs: Homeserver,
  access: RoomAccess,
  events: readonly VisibleEvent[],
): Promise<string[]> {
  const first = events[0]?.event
  if (first === undefined) return []
  const senders = [...new Set(events.map(({ event }) => event.sender))]
  const names = senders.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const entries = await readStateKeysAt(hs.rooms, access.room, first.stateRoot, names)
  return entries.filter((entry) => entry !== undefined).map(({ stored }) => renderPlain(hs.rooms, stored))
}
