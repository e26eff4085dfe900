// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync
import { Type } from 'typebox'
import { listAccountDataOfRooms } from '@causeway/store/tables/account-data.ts'
import { isPublished } from '@causeway/store/tables/directory.ts'
import { defineEndpoint, RawJson } from '../http/endpoint.ts'
import { listStateAt } from '../rooms/current-state.ts'
import { renderEvents, renderPlain } from '../rooms/render-event.ts'
import { formatPageToken, formatPaginationToken } from '../sync/pagination-token.ts'
import { isPresent } from '../user-data/account-data.ts'
import { parseFilterQuery } from './filter-query.ts'
import { MAX_PAGE, readPage } from './history-page.ts'
import { v3 } from './paths.ts'
import { requireAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

/** The room as it is now, or as it was when the user left it: for those who read it without being in it. */
export const roomInitialSync = defineEndpoint({
  operation: 'roomInitialSync',
  method: 'GET',
  ...v3('/rooms/:roomId/initialSync'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 0 })) }),
  run: async (hs, { session, params, query }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    const { room, membership } = access
    // Before the page is read: what comes meanwhile is told again rather than missed.
    const end = formatPaginationToken(Math.min(hs.log.head(), access.upTo) + 1)
    const limit = Math.min(query.limit ?? 10, MAX_PAGE)
    const filter = parseFilterQuery(undefined)
    const [page, state, data, isPublic] = await Promise.all([
      readPage(hs, session, access, { from: undefined, to: undefined, backwards: true, limit, filter }),
      access.stateRoot().then((root) => listStateAt(hs.rooms, room, root)),
      listAccountDataOfRooms(hs.db, session.userId, [room.roomNid]),
      isPublished(hs.db, room.roomNid),
    ])
    const chunk = await renderEvents(hs.rooms, room, session, page.events.toReversed())
    const start = page.next === undefined ? '' : `"start":"${formatPageToken(page.next)}",`
    const fields = [
      `"room_id":${JSON.stringify(room.roomId)}`,
      `"membership":${JSON.stringify(membership)}`,
      `"messages":{${start}"end":"${end}","chunk":[${chunk.join(',')}]}`,
      `"state":[${state.map(({ stored }) => renderPlain(hs.rooms, stored)).join(',')}]`,
      `"visibility":"${isPublic ? 'public' : 'private'}"`,
      `"account_data":[${data
        .filter(isPresent)
        .map(({ type, content }) => `{"type":${JSON.stringify(type)},"content":${content}}`)
        .join(',')}]`,
    ]
    return new RawJson(`{${fields.join(',')}}`)
  },
})
