// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
import { Type } from 'typebox'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { appserviceTimestamp, timestampQuery } from './appservice-timestamp.ts'
import { v3 } from './paths.ts'
import { roomIdText, txnIdText } from './schemas.ts'
import { sendOnce } from './send-once.ts'

export const sendMessageEvent = defineEndpoint({
  operation: 'sendMessage',
  method: 'PUT',
  ...v3('/rooms/:roomId/send/:eventType/:txnId'),
  auth: 'user',
  rateLimit: 'message',
  params: Type.Object({ roomId: roomIdText, eventType: Type.String({ minLength: 1 }), txnId: txnIdText }),
  query: timestampQuery,
  body: jsonObject,
  run: (hs, { session, params, query, body }) =>
    sendOnce(hs, session, params.txnId, `send/${params.roomId}/${params.eventType}`, {
      roomId: params.roomId,
      type: params.eventType,
      sender: session.userId,
      content: body,
      ...appserviceTimestamp(session, query),
    }),
})
