import { Type } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { deleteRejectedPusher, EMAIL, findPusher, type PusherRow } from '@causeway/store/tables/pushers.ts'
import {
  unsubscribedPage,
  unsubscribeFormPage,
  unsubscribeRefusalPage,
} from '../accounts/pages/unsubscribe-page.ts'
import type { Homeserver } from '../homeserver.ts'
import { readBody } from '../http/body.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { readUnsubscribeToken, UNSUBSCRIBE_PAGE } from '../push/email/unsubscribe-link.ts'

// A plain form: it works without a script, by keyboard, on a telephone and in a screen reader.

const MAX_FORM_BYTES = 2 * 1024

/** The pusher that a good token is for, as long as it is there. */
async function findSubscription(hs: Homeserver, nid: number): Promise<PusherRow | undefined> {
  const pusher = await findPusher(hs.db, nid)
  return pusher?.kind === EMAIL ? pusher : undefined
}

/** Ends nothing: programs that look through mail open every link. */
export const showUnsubscribePage = defineEndpoint({
  operation: 'showUnsubscribePage',
  method: 'GET',
  path: UNSUBSCRIBE_PAGE,
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({ token: Type.Optional(Type.String()) }),
  run: async (hs, { query: { token = '' } }) => {
    const nid = readUnsubscribeToken(hs, token)
    if (nid === undefined) return unsubscribeRefusalPage()
    const pusher = await findSubscription(hs, nid)
    if (pusher === undefined) return unsubscribedPage()
    const { pushkey: address, user_id: userId } = pusher
    return unsubscribeFormPage(UNSUBSCRIBE_PAGE, { serverName: hs.serverName, address, userId, token })
  },
})

/** The button of the page; and, with the token in the address, that of a mail program (RFC 8058). */
export const submitUnsubscribePage = defineEndpoint({
  operation: 'submitUnsubscribePage',
  method: 'POST',
  path: UNSUBSCRIBE_PAGE,
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({ token: Type.Optional(Type.String()) }),
  body: 'stream',
  maxBodyBytes: MAX_FORM_BYTES,
  run: async (hs, { query, raw }) => {
    const form = new URLSearchParams(Buffer.from(await readBody(raw, MAX_FORM_BYTES, hs.clock)).toString())
    const nid = readUnsubscribeToken(hs, query.token ?? form.get('token') ?? '')
    if (nid === undefined) return unsubscribeRefusalPage()
    const pusher = await findSubscription(hs, nid)
    if (pusher !== undefined) {
      const userId = pusher.user_id as UserId
      const steps = deleteRejectedPusher(pusher)
      await hs.log.append({ entries: [{ kind: 'pushers', position: 0, userId }], steps })
    }
    return unsubscribedPage()
  },
})

export const unsubscribeRoutes: readonly AnyEndpoint[] = [showUnsubscribePage, submitUnsubscribePage]
