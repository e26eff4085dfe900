// https://github.com/matrix-org/matrix-spec-proposals/pull/4140
import { Type } from 'typebox'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listScheduled } from '@causeway/store/tables/delayed-events.ts'
import { describeDelayed, describeScheduled } from '../delayed/describe.ts'
import { getDelayedEvent, manageDelayed, type DelayedAction } from '../delayed/manage.ts'
import { scheduleEvent, type ScheduleInput } from '../delayed/schedule.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { appserviceTimestamp, timestampQuery } from './appservice-timestamp.ts'
import { roomIdText, txnIdText } from './schemas.ts'
import { stickyOf, stickyQuery } from './sticky-query.ts'

const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc4140'

const delayText = Type.Integer({ minimum: 1 })

/** The older way to ask for it: with what sends an event at once. */
export const delayQuery = Type.Object({
  ...timestampQuery.properties,
  'org.matrix.msc4140.delay': Type.Optional(delayText),
})

/** The delay that a request asks for in its query. */
export const delayOf = (query: { readonly 'org.matrix.msc4140.delay'?: number }): number | undefined =>
  query['org.matrix.msc4140.delay']

/**
 * Schedules an event under a client's transaction id: however often it is asked for, it is scheduled once.
 * @param build what to schedule; not called for an answer that was given before
 */
export function scheduleOnce(
  hs: Homeserver,
  session: Session,
  { txnId, path }: { readonly txnId: string; readonly path: string },
  build: () => ScheduleInput,
): Promise<JsonObject> {
  const scope = { session, method: 'PUT', path: `delayed/${path}`, txnId }
  return hs.transactions.once(scope, (record) => scheduleEvent(hs, build(), record))
}

/** The body of a request, which may have been left out where it is a repetition. */
export function requireBody(body: JsonObject | undefined): JsonObject {
  if (body === undefined) throw new MatrixError('M_NOT_JSON', 'This needs a JSON body')
  return body
}

export const scheduleDelayedEvent = defineEndpoint({
  operation: 'scheduleDelayedEvent',
  method: 'PUT',
  path: `${UNSTABLE}/rooms/:roomId/delayed_event/:eventType/:txnId`,
  auth: 'user',
  rateLimit: 'message',
  params: Type.Object({ roomId: roomIdText, eventType: Type.String({ minLength: 1 }), txnId: txnIdText }),
  query: Type.Object({ ...timestampQuery.properties, ...stickyQuery.properties }),
  body: Type.Object({
    delay_ms: delayText,
    state_key: Type.Optional(Type.String()),
    content: jsonObject,
  }),
  run: (hs, { session, params, query, body }) => {
    const sticky = stickyOf(query)
    if (sticky.stickyMs !== undefined && body.state_key !== undefined)
      throw invalidParam('State is not sticky: leave out the state_key or the duration')
    return scheduleOnce(
      hs,
      session,
      { txnId: params.txnId, path: `${params.roomId}/${params.eventType}` },
      () => ({
        roomId: params.roomId,
        type: params.eventType,
        sender: session.userId,
        content: body.content,
        delayMs: body.delay_ms,
        ...(body.state_key === undefined ? {} : { stateKey: body.state_key }),
        ...appserviceTimestamp(session, query),
        ...sticky,
      }),
    )
  },
})

export const listDelayedEvents = defineEndpoint({
  operation: 'listDelayedEvents',
  method: 'GET',
  path: `${UNSTABLE}/delayed_events`,
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => {
    const { max_per_user: limit } = hs.config.delayed_events
    const rows = await listScheduled(hs.db, session.userId, Math.max(limit, 1))
    return { delayed_events: rows.map(describeScheduled) }
  },
})

export const getOneDelayedEvent = defineEndpoint({
  operation: 'getDelayedEvent',
  method: 'GET',
  path: `${UNSTABLE}/delayed_events/:delayId`,
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ delayId: Type.String() }),
  run: async (hs, { session, params }) =>
    describeDelayed(await getDelayedEvent(hs, params.delayId, session.userId)),
})

/**
 * Services that watch over calls have no account: whoever knows the id may. With a token it has to be an event of the
 * token's owner.
 */
async function manage(
  hs: Homeserver,
  session: Session | undefined,
  delayId: string,
  action: DelayedAction,
): Promise<JsonObject> {
  await manageDelayed(hs, delayId, action, session?.userId)
  return {}
}

function manageBy(action: DelayedAction) {
  return defineEndpoint({
    operation: `${action}DelayedEvent`,
    method: 'POST',
    path: `${UNSTABLE}/delayed_events/:delayId/${action}`,
    auth: 'optional',
    rateLimit: 'delayed',
    params: Type.Object({ delayId: Type.String() }),
    run: (hs, { session, params }) => manage(hs, session, params.delayId, action),
  })
}

export const sendDelayedEvent = manageBy('send')
export const cancelDelayedEvent = manageBy('cancel')
export const restartDelayedEvent = manageBy('restart')

/** The older way to say which. */
export const updateDelayedEvent = defineEndpoint({
  operation: 'updateDelayedEvent',
  method: 'POST',
  path: `${UNSTABLE}/delayed_events/:delayId`,
  auth: 'optional',
  rateLimit: 'delayed',
  params: Type.Object({ delayId: Type.String() }),
  body: Type.Object({ action: Type.Enum(['send', 'cancel', 'restart']) }),
  run: (hs, { session, params, body }) => manage(hs, session, params.delayId, body.action),
})
