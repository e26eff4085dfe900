// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint, RawJson } from '../http/endpoint.ts'
import { readHistory } from '../push/history.ts'
import { renderEvents } from '../rooms/render-event.ts'
import { v3 } from './paths.ts'

const MAX_LIMIT = 100
const STANDARD_LIMIT = 20

/** Tokens are log numbers, as texts of ours. */
const TOKEN = /^n([0-9]{1,15})$/

function readToken(text: string): number {
  const [, digits] = TOKEN.exec(text) ?? []
  if (digits === undefined) throw invalidParam('from must be the next_token of an earlier answer')
  return Number(digits)
}

export const getNotifications = defineEndpoint({
  operation: 'getNotifications',
  method: 'GET',
  ...v3('/notifications'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    from: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    only: Type.Optional(Type.String()),
  }),
  run: async (hs, { session, query }) => {
    const { notifications, next } = await readHistory(hs, session.userId, {
      before: query.from === undefined ? undefined : readToken(query.from),
      limit: Math.min(query.limit ?? STANDARD_LIMIT, MAX_LIMIT),
      onlyHighlights: query.only === 'highlight',
    })
    const items: string[] = []
    for (const { room, visible, actions, isRead } of notifications) {
      const [event] = await renderEvents(hs.rooms, room, session, [visible])
      const { originServerTs } = visible.event
      items.push(
        `{"actions":${JSON.stringify(actions)},"event":${event!},"read":${isRead},"room_id":${JSON.stringify(room.roomId)},"ts":${originServerTs}}`,
      )
    }
    const token = next === undefined ? '' : `,"next_token":"n${next}"`
    return new RawJson(`{"notifications":[${items.join(',')}]${token}}`)
  },
})
