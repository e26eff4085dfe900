import { Type } from 'typebox'
import { eventIdText, roomIdText, roomParams } from '../schemas.ts'
import { defineEndpoint, RawJson, type AnyEndpoint } from '../../http/endpoint.ts'
import { serveBackfill, serveEvent, serveMissingEvents } from '../../rooms/history/serve-events.ts'
import { serveEventAuth, serveState, serveStateIds } from '../../rooms/history/serve-state.ts'
import { serveHierarchy } from '../../rooms/space/serve-hierarchy.ts'
import { serveTimestamp } from '../../rooms/history/serve-timestamp.ts'

// What other servers in a room are told of it: https://spec.matrix.org/v1.19/server-server-api/#retrieving-events

const v1 = (path: string): string => `/_matrix/federation/v1${path}`
const atEvent = Type.Object({ event_id: eventIdText })
const eventIds = Type.Array(eventIdText, { maxItems: 1_000 })

const getEvent = defineEndpoint({
  operation: 'getEvent',
  method: 'GET',
  path: v1('/event/:eventId'),
  auth: 'server',
  rateLimit: 'federation',
  params: Type.Object({ eventId: eventIdText }),
  run: async (hs, { origin, params }) => new RawJson(await serveEvent(hs.rooms, origin, params.eventId)),
})

const getRoomState = defineEndpoint({
  operation: 'getRoomState (federation)',
  method: 'GET',
  path: v1('/state/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  query: atEvent,
  run: async (hs, { origin, params, query }) =>
    new RawJson(await serveState(hs.rooms, origin, params.roomId, query.event_id)),
})

const getRoomStateIds = defineEndpoint({
  operation: 'getRoomStateIds',
  method: 'GET',
  path: v1('/state_ids/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  query: atEvent,
  run: async (hs, { origin, params, query }) =>
    new RawJson(await serveStateIds(hs.rooms, origin, params.roomId, query.event_id)),
})

const getEventAuth = defineEndpoint({
  operation: 'getEventAuth',
  method: 'GET',
  path: v1('/event_auth/:roomId/:eventId'),
  auth: 'server',
  rateLimit: 'federation',
  params: Type.Object({ roomId: roomIdText, eventId: eventIdText }),
  run: async (hs, { origin, params }) =>
    new RawJson(await serveEventAuth(hs.rooms, origin, params.roomId, params.eventId)),
})

const backfillRoom = defineEndpoint({
  operation: 'backfillRoom',
  method: 'GET',
  path: v1('/backfill/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  query: Type.Object({ v: Type.Array(eventIdText, { minItems: 1 }), limit: Type.Integer({ minimum: 1 }) }),
  run: async (hs, { origin, params, query }) =>
    new RawJson(await serveBackfill(hs.rooms, origin, params.roomId, query.v, query.limit)),
})

const getMissingPreviousEvents = defineEndpoint({
  operation: 'getMissingPreviousEvents',
  method: 'POST',
  path: v1('/get_missing_events/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  body: Type.Object({
    earliest_events: eventIds,
    latest_events: eventIds,
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    min_depth: Type.Optional(Type.Integer()),
  }),
  run: async (hs, { origin, params, body }) =>
    new RawJson(
      await serveMissingEvents(hs.rooms, origin, params.roomId, {
        earliest: body.earliest_events,
        latest: body.latest_events,
        limit: body.limit ?? 10,
        minDepth: body.min_depth ?? 0,
      }),
    ),
})

const getEventByTimestamp = defineEndpoint({
  operation: 'getEventByTimestamp (federation)',
  method: 'GET',
  path: v1('/timestamp_to_event/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  run: async (hs, { origin, params, query }) =>
    new RawJson(await serveTimestamp(hs.rooms, origin, params.roomId, query.ts, query.dir)),
})

const getSpaceHierarchy = defineEndpoint({
  operation: 'getSpaceHierarchy (federation)',
  method: 'GET',
  path: v1('/hierarchy/:roomId'),
  auth: 'server',
  rateLimit: 'federation',
  params: roomParams,
  query: Type.Object({ suggested_only: Type.Optional(Type.Boolean()) }),
  run: (hs, { origin, params, query }) =>
    serveHierarchy(hs.rooms, origin, params.roomId, query.suggested_only ?? false),
})

/** History and state, for servers in the room; spaces, for those who may know of them. */
export const historyRoutes: readonly AnyEndpoint[] = [
  getEvent,
  getRoomState,
  getRoomStateIds,
  getEventAuth,
  backfillRoom,
  getMissingPreviousEvents,
  getEventByTimestamp,
  getSpaceHierarchy,
]
