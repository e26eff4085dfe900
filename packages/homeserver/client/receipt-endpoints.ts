// https://spec.matrix.org/v1.19/client-server-api/#receipts
import { Type } from 'typebox'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { RECEIPT_TYPES, requireInThread, writeReceipts, type Receipt } from '../user-data/receipts.ts'
import { requireEvent } from './get-event.ts'
import { requireJoined } from './own-user.ts'
import { v3 } from './paths.ts'
import { eventIdText, roomIdText, roomParams } from './schemas.ts'

async function readTarget(
  hs: Homeserver,
  session: Session,
  roomId: RoomId,
  eventId: EventId,
): Promise<StoredEvent> {
  return (await requireEvent(hs, session, roomId, eventId)).visible.event
}

export const postReceipt = defineEndpoint({
  operation: 'postReceipt',
  method: 'POST',
  ...v3('/rooms/:roomId/receipt/:receiptType/:eventId'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({
    roomId: roomIdText,
    receiptType: Type.Enum([...RECEIPT_TYPES]),
    eventId: eventIdText,
  }),
  body: Type.Object({ thread_id: Type.Optional(Type.String()) }),
  run: async (hs, { session, params, body }) => {
    const { roomId, receiptType: type, eventId } = params
    const { thread_id: threadId } = body
    if (threadId === '') throw invalidParam('thread_id must be "main" or the id of a thread’s root')
    if (threadId !== undefined && type === 'm.fully_read')
      throw invalidParam('There is one m.fully_read marker for the whole room; leave thread_id away')
    await requireJoined(hs, session, roomId)
    const event = await readTarget(hs, session, roomId, eventId)
    if (threadId !== undefined) await requireInThread(hs, event, threadId)
    await writeReceipts(hs, session.userId, [{ type, event, threadId }])
    return {}
  },
})

export const setReadMarker = defineEndpoint({
  operation: 'setReadMarker',
  method: 'POST',
  ...v3('/rooms/:roomId/read_markers'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  body: Type.Object({
    'm.fully_read': Type.Optional(eventIdText),
    'm.read': Type.Optional(eventIdText),
    'm.read.private': Type.Optional(eventIdText),
  }),
  run: async (hs, { session, params: { roomId }, body }) => {
    await requireJoined(hs, session, roomId)
    const receipts: Receipt[] = []
    for (const type of RECEIPT_TYPES) {
      const eventId = body[type]
      if (eventId === undefined) continue
      receipts.push({ type, event: await readTarget(hs, session, roomId, eventId), threadId: undefined })
    }
    await writeReceipts(hs, session.userId, receipts)
    return {}
  },
})
