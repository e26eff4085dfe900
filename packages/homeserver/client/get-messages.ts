// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages
import { Type, type Static } from 'typebox'
import { missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import { renderEvents, renderPlain } from '../rooms/render-event.ts'
import type { VisibleEvent } from '../rooms/visibility.ts'
import { formatPageToken, parsePageToken } from '../sync/pagination-token.ts'
import { parseFilterQuery } from './filter-query.ts'
import { MAX_PAGE, readPage } from './history-page.ts'
import { v3 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

export const MessagesQuery = Type.Object({
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  filter: Type.Optional(Type.String()),
})

export const getRoomEvents = defineEndpoint({
  operation: 'getRoomEvents',
  method: 'GET',
  ...v3('/rooms/:roomId/messages'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: MessagesQuery,
  run: async (hs, { session, params, query }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    // Asked for only now: who may not read the room is told that first.
    if (query.dir === undefined) throw missingParam('Say in dir which way to read: b or f')
    return answerMessages(hs, session, access, query)
  },
})

/** One page of a room's history, as JSON. */
export async function answerMessages(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  query: Static<typeof MessagesQuery>,
): Promise<RawJson> {
  const backwards = query.dir === 'b'
  const filter = parseFilterQuery(query.filter)
  const from = query.from === undefined ? undefined : parsePageToken(query.from)
  const limit = Math.min(query.limit ?? filter.limit ?? 10, MAX_PAGE)
  const to = query.to === undefined ? undefined : parsePageToken(query.to)
  const page = await readPage(hs, session, access, { from, to, backwards, limit, filter })
  const chunk = await renderEvents(hs.rooms, access.room, session, page.events)
  const state = filter.lazyLoadMembers ? await sendersState(hs, access, page.events) : []
  const start = query.from ?? formatPageToken(page.start)
  const next = page.next === undefined ? '' : `,"end":"${formatPageToken(page.next)}"`
  const stateJson = state.length === 0 ? '' : `,"state":[${state.join(',')}]`
  return new RawJson(`{"chunk":[${chunk.join(',')}],"start":${JSON.stringify(start)}${next}${stateJson}}`)
}

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
