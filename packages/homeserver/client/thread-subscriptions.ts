// https://github.com/matrix-org/matrix-spec-proposals/pull/4306
// https://github.com/matrix-org/matrix-spec-proposals/pull/4308
import { Type } from 'typebox'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { threadOf } from '../rooms/relation.ts'
import { parsePos } from '../sync/sliding/pos.ts'
import { changesJson, formatThreadToken, parseThreadToken, readThreadChanges } from '../threads/changes.ts'
import { findSubscription, subscribe, unsubscribe, type Subscription } from '../threads/subscribe.ts'
import { requireEvent } from './get-event.ts'
import { eventIdText, roomIdText } from './schemas.ts'

const PATH = '/_matrix/client/unstable/io.element.msc4306/rooms/:roomId/thread/:eventId/subscription'

const params = Type.Object({ roomId: roomIdText, eventId: eventIdText })

/** A thread that the user may see. Throws `M_NOT_FOUND` for any other. */
async function requireThread(
  hs: Homeserver,
  session: Session,
  { roomId, eventId }: { readonly roomId: RoomId; readonly eventId: EventId },
): Promise<Subscription> {
  const { room } = await requireEvent(hs, session, roomId, eventId)
  return { userId: session.userId, roomNid: room.roomNid, threadId: eventId }
}

/** The number of the event in the thread that a client subscribes for. */
async function requireCause(
  hs: Homeserver,
  session: Session,
  roomId: RoomId,
  { threadId }: Subscription,
  eventId: EventId,
): Promise<number> {
  const { event } = (await requireEvent(hs, session, roomId, eventId)).visible
  if (threadOf(event.content) === threadId) return event.nid
  throw new MatrixError(
    'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD',
    `${eventId} is not in this thread: name the latest event in it that you subscribe for`,
  )
}

export const subscribeToThread = defineEndpoint({
  operation: 'subscribeToThread',
  method: 'PUT',
  path: PATH,
  auth: 'user',
  rateLimit: 'read',
  params,
  body: Type.Object({ automatic: Type.Optional(eventIdText) }),
  run: async (hs, { session, params: thread, body }) => {
    const subscription = await requireThread(hs, session, thread)
    const cause =
      body.automatic === undefined
        ? undefined
        : await requireCause(hs, session, thread.roomId, subscription, body.automatic)
    await subscribe(hs, subscription, cause)
    return {}
  },
})

export const unsubscribeFromThread = defineEndpoint({
  operation: 'unsubscribeFromThread',
  method: 'DELETE',
  path: PATH,
  auth: 'user',
  rateLimit: 'read',
  params,
  run: async (hs, { session, params: thread }) => {
    await unsubscribe(hs, await requireThread(hs, session, thread))
    return {}
  },
})

export const getThreadSubscription = defineEndpoint({
  operation: 'getThreadSubscription',
  method: 'GET',
  path: PATH,
  auth: 'user',
  rateLimit: 'read',
  params,
  run: async (hs, { session, params: thread }) => {
    const found = await findSubscription(hs, await requireThread(hs, session, thread))
    if (found === undefined) throw notFound('You are not subscribed to this thread')
    return found
  },
})

/** A position of sliding sync does as well: the client goes back to where it was. */
function parseTo(hs: Homeserver, text: string): number {
  if (text.startsWith('th')) return parseThreadToken(text, hs.epochs) ?? 0
  return parsePos(text, hs.epochs).token.position
}

export const listThreadSubscriptions = defineEndpoint({
  operation: 'listThreadSubscriptions',
  method: 'GET',
  path: '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    dir: Type.Literal('b'),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  run: async (hs, { session, query }): Promise<JsonObject> => {
    const from = query.from === undefined ? undefined : parseThreadToken(query.from, hs.epochs)
    const changes = await readThreadChanges(hs, session.userId, {
      after: query.to === undefined ? 0 : parseTo(hs, query.to),
      upTo: from ?? hs.log.head(),
      limit: query.limit ?? 100,
    })
    const end = changes.next === undefined ? {} : { end: formatThreadToken(changes.next, hs.epochs) }
    return { ...changesJson(changes), ...end }
  },
})
