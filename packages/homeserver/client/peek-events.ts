// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events
import { Type } from 'typebox'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { renderEvents } from '../rooms/render-event.ts'
import {
  formatPageToken,
  formatPaginationToken,
  parsePaginationToken,
  type PageToken,
} from '../sync/pagination-token.ts'
import { parseFilterQuery } from './filter-query.ts'
import { readPage, type Page } from './history-page.ts'
import { v3 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomIdText } from './schemas.ts'

const MAX_TIMEOUT_MS = 90_000
const MAX_EVENTS = 100

interface News {
  readonly page: Page
  /** Where the next request goes on. */
  readonly end: string
}

/** What has arrived in a room since a place in its timeline, as far as the user may see it. */
async function readNews(hs: Homeserver, session: Session, access: RoomAccess, from: number): Promise<News> {
  const upTo: PageToken = { order: 'arrival', before: hs.log.head() + 1 }
  const page = await readPage(hs, session, access, {
    from: { order: 'arrival', before: from },
    to: upTo,
    backwards: false,
    limit: MAX_EVENTS,
    filter: parseFilterQuery(undefined),
  })
  const isAll = page.events.length < MAX_EVENTS || page.next === undefined
  return { page, end: formatPageToken(isAll ? upTo : page.next!) }
}

/**
 * New events of one room, for those who read it without being in it (and those who are). Waits for the first of them,
 * as a sync does.
 */
export const peekEvents = defineEndpoint({
  operation: 'peekEvents',
  method: 'GET',
  ...v3('/events'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    room_id: roomIdText,
    from: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  run: async (hs, { session, query, signal }) => {
    const deadline = hs.clock.monotonic() + Math.min(query.timeout ?? 0, MAX_TIMEOUT_MS)
    const from = query.from === undefined ? hs.log.head() + 1 : parsePaginationToken(query.from)
    for (;;) {
      // Asked anew each time: the room may have been closed meanwhile.
      const access = await requireAccess(hs.rooms, session, query.room_id)
      // Take the place before reading the position: news in between wake us at once.
      const waiter = hs.notifier.armRoom(query.room_id)
      try {
        const { page, end } = await readNews(hs, session, access, from)
        const remaining = deadline - hs.clock.monotonic()
        if (page.events.length > 0 || remaining <= 0 || signal.aborted) {
          const chunk = await renderEvents(hs.rooms, access.room, session, page.events)
          const start = formatPaginationToken(from)
          return new RawJson(`{"start":"${start}","end":"${end}","chunk":[${chunk.join(',')}]}`)
        }
        await waiter.wait(remaining, signal)
      } finally {
        waiter.leave()
      }
    }
  },
})
