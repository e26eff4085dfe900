// https://spec.matrix.org/v1.19/client-server-api/#querying-threads-in-a-room
import { Type } from 'typebox'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { listThreads, type RelationScope, type ThreadListRow } from '@causeway/store/tables/relations.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { END, findEvents, isShown } from '../rooms/read-events.ts'
import { relationOf } from '../rooms/relation.ts'
import { relationScope } from '../rooms/relation-scope.ts'
import { renderEvents } from '../rooms/render-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import { formatPaginationToken, parsePaginationToken } from '../sync/pagination-token.ts'
import { v1 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100
/** Portions read where hardly any thread is wanted, before the client is asked to come again. */
const MAX_PORTIONS = 5

interface ThreadsRequest {
  readonly scope: RelationScope
  readonly onlyParticipated: boolean
  readonly from: number
  readonly limit: number
}

interface ThreadsPage {
  readonly roots: readonly VisibleEvent[]
  /** Newest reply of the last thread looked at; undefined when there are no more threads. */
  readonly next: number | undefined
}

/** Roots of the threads with the latest replies, in that order. */
async function readPage(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  { scope, onlyParticipated, from, limit }: ThreadsRequest,
): Promise<ThreadsPage> {
  const roots: VisibleEvent[] = []
  let latestBefore = from
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    const page = { userId: session.userId, latestBefore, limit: limit + 1 }
    const rows = await listThreads(hs.db, scope, page)
    const found = await findRoots(hs, session, access, rows)
    for (const row of rows) {
      if (roots.length === limit) return { roots, next: latestBefore }
      latestBefore = row.latest
      const root = found.get(row.parent_event_id)
      if (root === undefined) continue
      if (!onlyParticipated || row.own === 1 || root.event.sender === session.userId) roots.push(root)
    }
    if (rows.length <= limit) return { roots, next: undefined }
  }
  return { roots, next: latestBefore }
}

async function findRoots(
  hs: Homeserver,
  session: Session,
  { room }: RoomAccess,
  rows: readonly ThreadListRow[],
): Promise<Map<string, VisibleEvent>> {
  const events = await findEvents(
    hs.rooms,
    rows.map((row) => row.parent_event_id as EventId),
  )
  const own = [...events.values()].filter(
    (event) =>
      event.roomNid === room.roomNid &&
      isShown(event) &&
      event.stateKey === undefined &&
      relationOf(event.content) === undefined,
  )
  const visible = await filterVisible(hs.rooms, room, session.userId, own)
  return new Map(visible.map((one) => [one.event.eventId, one]))
}

export const getThreadRoots = defineEndpoint({
  operation: 'getThreadRoots',
  method: 'GET',
  ...v1('/rooms/:roomId/threads', '/org.matrix.msc3856/rooms/:roomId/threads'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: Type.Object({
    include: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('participated')])),
    from: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  run: async (hs, { session, params, query }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    const page = await readPage(hs, session, access, {
      scope: await relationScope(hs.rooms, access.room, session.userId),
      onlyParticipated: query.include === 'participated',
      from: query.from === undefined ? END : parsePaginationToken(query.from),
      limit: Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT),
    })
    const chunk = await renderEvents(hs.rooms, access.room, session, page.roots)
    const next = page.next === undefined ? '' : `,"next_batch":"${formatPaginationToken(page.next)}"`
    return new RawJson(`{"chunk":[${chunk.join(',')}]${next}}`)
  },
})
