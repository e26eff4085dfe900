// https://spec.matrix.org/v1.19/client-server-api/#relationships-api
import { Type } from 'typebox'
import { listRelatingNids, type RelatingQuery } from '@causeway/store/tables/relations.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type AnyEndpoint, type Session } from '../http/endpoint.ts'
import { BEGINNING, findEventsByNid, isShown } from '../rooms/read-events.ts'
import { renderEvents } from '../rooms/render-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import { formatPaginationToken, parsePaginationToken } from '../sync/pagination-token.ts'
import { requireEvent } from './get-event.ts'
import { v1 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { eventIdText, roomIdText } from './schemas.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 200
/** How far `recurse` goes: as far as the specification asks for at least. */
const MAX_DEPTH = 3
/** Portions read where hardly anything is visible, before the client is asked to come again. */
const MAX_PORTIONS = 5

interface RelationsRequest {
  readonly eventId: EventId
  readonly relType: string | undefined
  readonly eventType: string | undefined
  readonly from: string | undefined
  readonly to: string | undefined
  readonly backwards: boolean
  readonly limit: number
  readonly depth: number
}

interface RelationsPage {
  readonly events: readonly VisibleEvent[]
  /** Where the next page begins; undefined when there is none. */
  readonly next: number | undefined
}

/** What relates to an event, as far as the reader may see it, in arrival order or the newest first. */
async function readPage(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  request: RelationsRequest,
): Promise<RelationsPage> {
  const { backwards, limit } = request
  const { roomNid } = access.room
  const end = access.upTo + 1
  const to = request.to === undefined ? (backwards ? BEGINNING : end) : parsePaginationToken(request.to)
  let place = request.from === undefined ? (backwards ? end : BEGINNING) : parsePaginationToken(request.from)
  const events: VisibleEvent[] = []
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const query: RelatingQuery = {
      roomNid,
      parentEventId: request.eventId,
      relType: request.relType,
      eventType: request.eventType,
      after: Math.max(BEGINNING, (backwards ? to : place) - 1),
      before: Math.min(end, backwards ? place : to),
      backwards,
      limit: limit - events.length + 1,
      depth: request.depth,
    }
    const nids = await listRelatingNids(hs.db, query)
    for (const visible of await readVisible(hs, session, access, nids)) {
      if (events.length === limit) return { events, next: place }
      events.push(visible)
      place = backwards ? visible.event.nid : visible.event.nid + 1
    }
    if (nids.length < query.limit) return { events, next: undefined }
    place = backwards ? nids.at(-1)! : nids.at(-1)! + 1
  }
  return { events, next: place }
}

async function readVisible(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  nids: readonly number[],
): Promise<VisibleEvent[]> {
  const found = await findEventsByNid(hs.rooms, nids)
  const events = nids.map((nid) => found.get(nid)).filter((event) => event !== undefined && isShown(event))
  return filterVisible(
    hs.rooms,
    access.room,
    session.userId,
    events.filter((event) => event !== undefined),
  )
}

const Params = Type.Object({
  roomId: roomIdText,
  eventId: eventIdText,
  relType: Type.Optional(Type.String()),
  eventType: Type.Optional(Type.String()),
})

const Query = Type.Object({
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  recurse: Type.Optional(Type.Boolean()),
})

/** The three operations differ in how much of the relation their path names. */
function relationsEndpoint(operation: string, more: string): AnyEndpoint {
  const path = `/rooms/:roomId/relations/:eventId${more}`
  return defineEndpoint({
    operation,
    method: 'GET',
    ...v1(path, path),
    auth: 'user',
    rateLimit: 'read',
    params: Params,
    query: Query,
    run: async (hs, { session, params, query }) => {
      await requireEvent(hs, session, params.roomId, params.eventId)
      const access = await requireAccess(hs.rooms, session, params.roomId)
      const depth = query.recurse === true ? MAX_DEPTH : 1
      const page = await readPage(hs, session, access, {
        eventId: params.eventId,
        relType: params.relType,
        eventType: params.eventType,
        from: query.from,
        to: query.to,
        backwards: query.dir !== 'f',
        limit: Math.min(Math.max(query.limit ?? DEFAULT_LIMIT, 1), MAX_LIMIT),
        depth,
      })
      const chunk = await renderEvents(hs.rooms, access.room, session, page.events)
      const next = page.next === undefined ? '' : `,"next_batch":"${formatPaginationToken(page.next)}"`
      const previous = query.from === undefined ? '' : `,"prev_batch":${JSON.stringify(query.from)}`
      const reached = query.recurse === true ? `,"recursion_depth":${depth}` : ''
      return new RawJson(`{"chunk":[${chunk.join(',')}]${next}${previous}${reached}}`)
    },
  })
}

export const getRelatingEvents = relationsEndpoint('getRelatingEvents', '')
export const getRelatingEventsWithRelType = relationsEndpoint('getRelatingEventsWithRelType', '/:relType')
export const getRelatingEventsWithRelTypeAndEventType = relationsEndpoint(
  'getRelatingEventsWithRelTypeAndEventType',
  '/:relType/:eventType',
)
