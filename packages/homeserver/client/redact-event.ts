// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid
import { Type } from 'typebox'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'
import { eventIdText, reasonText, roomIdText, txnIdText } from './schemas.ts'
import { sendOnce } from './send-once.ts'

export const redactEvent = defineEndpoint({
  operation: 'redactEvent',
  method: 'PUT',
  ...v3('/rooms/:roomId/redact/:eventId/:txnId'),
  auth: 'user',
  rateLimit: 'message',
  params: Type.Object({ roomId: roomIdText, eventId: eventIdText, txnId: txnIdText }),
  body: Type.Object({ reason: reasonText }),
  run: (hs, { session, params, body }) =>
    sendOnce(hs, session, params.txnId, `redact/${params.roomId}/${params.eventId}`, {
      roomId: params.roomId,
      type: 'm.room.redaction',
      sender: session.userId,
      content: body.reason === undefined ? {} : { reason: body.reason },
      redacts: params.eventId,
    }),
})
