// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid
import { Type, type Static } from 'typebox'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { GraphPlace } from '@causeway/store/tables/events.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import { filterEvents } from '../rooms/filter-events.ts'
import { findRoom } from '../rooms/load-head.ts'
import { END, findEvent, isShown } from '../rooms/read-events.ts'
import { renderEvents, renderPlain } from '../rooms/render-event.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import type { EventFilter } from '../sync/filter.ts'
import { formatPageToken, type PageToken } from '../sync/pagination-token.ts'
import { wholeState } from '../sync/room-state.ts'
import { parseFilterQuery } from './filter-query.ts'
import { readPage } from './history-page.ts'
import { v3 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { eventIdText, roomIdText } from './schemas.ts'

const eventParams = Type.Object({ roomId: roomIdText, eventId: eventIdText })

/** An event that the user may see. Throws `M_NOT_FOUND` for any other: who may not see it is not told that it exists. */
export async function requireEvent(
  hs: Homeserver,
  session: Session,
  roomId: RoomId,
  eventId: EventId,
): Promise<{ room: RoomInfo; visible: VisibleEvent }> {
  const room = await findRoom(hs.rooms, roomId)
  const event = await findEvent(hs.rooms, eventId)
  if (room !== undefined && event !== undefined && event.roomNid === room.roomNid && isShown(event)) {
    const [visible] = await filterVisible(hs.rooms, room, session.userId, [event])
    if (visible !== undefined) return { room, visible }
  }
  throw notFound(`There is no event ${eventId} in this room that you may see`)
}

export const getOneRoomEvent = defineEndpoint({
  operation: 'getOneRoomEvent',
  method: 'GET',
  ...v3('/rooms/:roomId/event/:eventId'),
  auth: 'user',
  rateLimit: 'read',
  params: eventParams,
  run: async (hs, { session, params }) => {
    const { room, visible } = await requireEvent(hs, session, params.roomId, params.eventId)
    const [text] = await renderEvents(hs.rooms, room, session, [visible])
    return new RawJson(text!)
  },
})

const MAX_CONTEXT = 100

export const ContextQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  filter: Type.Optional(Type.String()),
})

export const getEventContext = defineEndpoint({
  operation: 'getEventContext',
  method: 'GET',
  ...v3('/rooms/:roomId/context/:eventId'),
  auth: 'user',
  rateLimit: 'read',
  params: eventParams,
  query: ContextQuery,
  run: async (hs, { session, params, query }) => {
    const { room, visible } = await requireEvent(hs, session, params.roomId, params.eventId)
    const access = await requireAccess(hs.rooms, session, room.roomId)
    return answerContext(hs, session, { access, visible }, query)
  },
})

/** What was said around an event, with the state there, as JSON. */
export async function answerContext(
  hs: Homeserver,
  session: Session,
  { access, visible }: { readonly access: RoomAccess; readonly visible: VisibleEvent },
  query: Static<typeof ContextQuery>,
): Promise<RawJson> {
  const { room } = access
  const filter = parseFilterQuery(query.filter)
  const limit = Math.min(query.limit ?? filter.limit ?? 10, MAX_CONTEXT)
  const page = (backwards: boolean, from: PageToken, size: number) =>
    readPage(hs, session, access, { from, to: undefined, backwards, limit: size, filter })
  const before = await page(true, placeBefore(visible.event), Math.floor(limit / 2))
  const after = await page(false, placeAfter(visible.event), Math.ceil(limit / 2))
  const render = async (events: readonly VisibleEvent[]) =>
    (await renderEvents(hs.rooms, room, session, events)).join(',')
  const shown = [...before.events, visible, ...after.events]
  const last = after.events.at(-1)?.event ?? visible.event
  const stored = await stateAround(hs, session, room, { root: last.stateRoot, shown, filter })
  const state = stored.map((event) => renderPlain(hs.rooms, event))
  return new RawJson(
    `{"event":${await render([visible])},"events_before":[${await render(before.events)}],` +
      `"events_after":[${await render(after.events)}],"state":[${state.join(',')}],` +
      `"start":"${formatPageToken(placeBefore(before.events.at(-1)?.event ?? visible.event))}",` +
      `"end":"${formatPageToken(placeAfter(last))}"}`,
  )
}

interface Around {
  readonly root: number
  readonly shown: readonly VisibleEvent[]
  readonly filter: EventFilter
}

/** The state at the end of what is shown, as the filter wants it: with lazy loading only members who speak there. */
async function stateAround(
  { rooms }: Homeserver,
  { userId }: Session,
  room: RoomInfo,
  { root, shown, filter }: Around,
): Promise<readonly StoredEvent[]> {
  if (filter.isEmpty || !filter.passesRoom(room.roomId)) return []
  const lazy = filter.lazyLoadMembers
  const [others, members] = await Promise.all([
    wholeState(rooms, room, root, lazy),
    lazy ? readStateKeysAt(rooms, room, root, memberNames(shown)) : [],
  ])
  const events = [...others, ...members].filter((entry) => entry !== undefined).map(({ stored }) => stored)
  return filterEvents(rooms, room, userId, filter, events)
}

function placeBefore({ depth, nid }: GraphPlace): PageToken {
  return { order: 'graph', place: { depth, nid, arrivedBefore: END } }
}

function placeAfter({ depth, nid }: GraphPlace): PageToken {
  return placeBefore({ depth, nid: nid + 1 })
}

function memberNames(events: readonly VisibleEvent[]): { type: string; stateKey: string }[] {
  return [...new Set(events.map(({ event }) => event.sender))].map((stateKey) => ({
    type: 'm.room.member',
    stateKey,
  }))
}
