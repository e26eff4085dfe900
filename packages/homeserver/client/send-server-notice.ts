// The interface of Synapse for server notices, which tools of operators use.
// https://element-hq.github.io/synapse/latest/admin_api/server_notices.html
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { sendNotice, type Notice } from '../server-notices/send-notice.ts'
import { txnIdText, userIdText } from './schemas.ts'

const path = '/_synapse/admin/v1/send_server_notice'

const Body = Type.Object({
  user_id: userIdText,
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  state_key: Type.Optional(Type.String({ maxLength: 255 })),
  content: jsonObject,
})

function noticeOf({ user_id: target, type, state_key: stateKey, content }: Static<typeof Body>): Notice {
  return { target, type, stateKey, content }
}

export const sendServerNotice = defineEndpoint({
  operation: 'sendServerNotice',
  method: 'POST',
  path,
  auth: 'admin',
  rateLimit: 'admin',
  body: Body,
  run: async (hs, { body }): Promise<JsonObject> => ({ event_id: await sendNotice(hs, noticeOf(body)) }),
})

export const sendServerNoticeOnce = defineEndpoint({
  operation: 'sendServerNoticeOnce',
  method: 'PUT',
  path: `${path}/:txnId`,
  auth: 'admin',
  rateLimit: 'admin',
  params: Type.Object({ txnId: txnIdText }),
  body: Body,
  run: (hs, { session, params: { txnId }, body }): Promise<JsonObject> =>
    hs.transactions.once({ session, method: 'PUT', path, txnId }, async (record) => {
      const companions: Notice['companions'] = (_eventId, eventNid) => ({ steps: [record({ eventNid })] })
      return { event_id: await sendNotice(hs, { ...noticeOf(body), companions }) }
    }),
})
