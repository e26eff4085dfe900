// https://spec.matrix.org/v1.19/client-server-api/#getting-events-for-a-room
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint, RawJson } from '../http/endpoint.ts'
import { listStateAt, readStateAt } from '../rooms/current-state.ts'
import { renderPlain } from '../rooms/render-event.ts'
import { v3 } from './paths.ts'
import { requireAccess } from './room-access.ts'
import { roomIdText, roomParams } from './schemas.ts'

export const getRoomState = defineEndpoint({
  operation: 'getRoomState',
  method: 'GET',
  ...v3('/rooms/:roomId/state'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { session, params }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    const entries = await listStateAt(hs.rooms, access.room, await access.stateRoot())
    return new RawJson(`[${entries.map(({ stored }) => renderPlain(hs.rooms, stored)).join(',')}]`)
  },
})

const STATE = '/rooms/:roomId/state/:eventType'

export const getRoomStateWithKey = defineEndpoint({
  operation: 'getRoomStateWithKey',
  method: 'GET',
  ...v3(`${STATE}/:stateKey`),
  also: [
    ...v3(`${STATE}/:stateKey`).also,
    v3(STATE).path,
    ...v3(STATE).also,
    v3(`${STATE}/`).path,
    ...v3(`${STATE}/`).also,
  ],
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({
    roomId: roomIdText,
    eventType: Type.String(),
    stateKey: Type.Optional(Type.String()),
  }),
  query: Type.Object({ format: Type.Optional(Type.Union([Type.Literal('content'), Type.Literal('event')])) }),
  run: async (hs, { session, params, query }) => {
    const { room, stateRoot } = await requireAccess(hs.rooms, session, params.roomId)
    const root = await stateRoot()
    const entry = await readStateAt(hs.rooms, room, root, params.eventType, params.stateKey ?? '')
    if (entry === undefined) throw notFound(`The room has no ${params.eventType} with this state key`)
    return query.format === 'event' ? new RawJson(renderPlain(hs.rooms, entry.stored)) : entry.stored.content
  },
})
