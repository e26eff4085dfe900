// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { appserviceTimestamp } from './appservice-timestamp.ts'
import { delayOf, delayQuery, requireBody, scheduleOnce } from './delayed-events.ts'
import { v3 } from './paths.ts'
import { pretendOnce } from './pretend.ts'
import { roomIdText, txnIdText } from './schemas.ts'
import { sendOnce } from './send-once.ts'
import { stickyOf, stickyQuery } from './sticky-query.ts'

export const sendMessageEvent = defineEndpoint({
  operation: 'sendMessage',
  method: 'PUT',
  ...v3('/rooms/:roomId/send/:eventType/:txnId'),
  auth: 'user',
  rateLimit: 'message',
  params: Type.Object({ roomId: roomIdText, eventType: Type.String({ minLength: 1 }), txnId: txnIdText }),
  query: Type.Object({ ...delayQuery.properties, ...stickyQuery.properties }),
  body: jsonObject,
  mayLackBody: true,
  run: (hs, { session, params, query, body }) => {
    const { txnId, roomId, eventType: type } = params
    const draft = (content: JsonObject | undefined) => ({
      roomId,
      type,
      sender: session.userId,
      content: requireBody(content),
      ...appserviceTimestamp(session, query),
      ...stickyOf(query),
    })
    const delayMs = delayOf(query)
    const path = `send/${roomId}/${type}`
    if (session.isShadowBanned === true && delayMs === undefined)
      return pretendOnce(hs, session, roomId, { txnId, path })
    return delayMs === undefined
      ? sendOnce(hs, session, txnId, path, draft(body))
      : scheduleOnce(hs, session, { txnId, path: `${roomId}/${type}` }, () => ({ ...draft(body), delayMs }))
  },
})
