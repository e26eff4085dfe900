// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid
import { Type } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { queueRemoteMessages } from '../devices/remote-messages.ts'
import { readRecipients, sendToDevices, type DeviceMessages } from '../devices/send-to-devices.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { mapOf, MAX_KEYS_BODY_BYTES, MAX_USERS, splitUsers } from './key-schemas.ts'
import { v3 } from './paths.ts'
import { txnIdText } from './schemas.ts'

const MAX_DEVICES = 10_000

export const sendToDevice = defineEndpoint({
  operation: 'sendToDevice',
  method: 'PUT',
  ...v3('/sendToDevice/:eventType/:txnId'),
  auth: 'user',
  rateLimit: 'keys',
  params: Type.Object({ eventType: Type.String({ minLength: 1, maxLength: 255 }), txnId: txnIdText }),
  body: Type.Object({ messages: mapOf(mapOf(jsonObject, MAX_DEVICES), MAX_USERS) }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: (hs, { session, params, body }) => {
    const { local, remote } = splitUsers(hs, Object.keys(body.messages))
    const messagesTo = (userIds: readonly UserId[]): DeviceMessages => ({
      type: params.eventType,
      sender: session.userId,
      contents: new Map(userIds.map((userId) => [userId, new Map(Object.entries(body.messages[userId]!))])),
    })
    const path = `sendToDevice/${params.eventType}`
    return hs.transactions.once({ session, method: 'PUT', path, txnId: params.txnId }, async (record) => {
      const deliveries = await readRecipients(hs.db, messagesTo(local))
      const abroad = queueRemoteMessages(messagesTo(hs.outbound.isRunning() ? remote : []), hs.random)
      await sendToDevices(hs, deliveries, [record({ answer: {} }), ...abroad.steps])
      for (const server of abroad.servers) hs.outbound.wake(server)
      return {}
    })
  },
})
