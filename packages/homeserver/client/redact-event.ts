// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { userSuspended } from '../http/account-standing.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { findEvent } from '../rooms/read-events.ts'
import { v3 } from './paths.ts'
import { pretendOnce } from './pretend.ts'
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
  run: async (hs, { session, params, body }) => {
    if (session.standing === 'suspended') await requireOwnEvent(hs, session, params.eventId)
    const { roomId, txnId } = params
    const path = `redact/${roomId}/${params.eventId}`
    if (session.isShadowBanned === true) return pretendOnce(hs, session, roomId, { txnId, path })
    // Bridges (mautrix) know by a key of their own what they did themselves; which event it is, the path says.
    const { redacts: _, ...content } = body as JsonObject
    return sendOnce(hs, session, txnId, path, {
      roomId,
      type: 'm.room.redaction',
      sender: session.userId,
      content,
      redacts: params.eventId,
    })
  },
})

/** Who is suspended may take back what they said, and nothing else. */
async function requireOwnEvent(hs: Homeserver, { userId }: Session, eventId: EventId): Promise<void> {
  if ((await findEvent(hs.rooms, eventId))?.sender !== userId) throw userSuspended()
}
