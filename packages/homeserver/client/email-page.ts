import { Type } from 'typebox'
import {
  findAddressSession,
  validateAddressSession,
  type AddressSessionRow,
} from '@causeway/store/tables/address-sessions.ts'
import { emailDonePage, emailFormPage, emailRefusalPage } from '../accounts/pages/email-page.ts'
import { sha256 } from '../crypto/sha256.ts'
import { CONFIRM_PAGE } from '../email/request-token.ts'
import type { Homeserver } from '../homeserver.ts'
import { readBody } from '../http/body.ts'
import { defineEndpoint } from '../http/endpoint.ts'

// A plain form: it works without a script, by keyboard, on a telephone and in a screen reader.

const MAX_FORM_BYTES = 2 * 1024
const MAX_PART = 255

/** The session of a link that was not used yet. */
async function findOpen(hs: Homeserver, sid: string, token: string): Promise<AddressSessionRow | undefined> {
  if (sid.length > MAX_PART || token.length > MAX_PART) return undefined
  const session = await findAddressSession(hs.db, sid, hs.clock.now())
  const isOpen = session?.medium === 'email' && session.validated_ts === 0
  return isOpen && session.token_hash === sha256(token) ? session : undefined
}

export const showEmailPage = defineEndpoint({
  operation: 'showEmailPage',
  method: 'GET',
  path: CONFIRM_PAGE,
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({ sid: Type.Optional(Type.String()), token: Type.Optional(Type.String()) }),
  run: async (hs, { query: { sid = '', token = '' } }) => {
    const session = await findOpen(hs, sid, token)
    if (session === undefined) return emailRefusalPage()
    const { address, purpose, user_id: userId } = session
    return emailFormPage(CONFIRM_PAGE, { serverName: hs.serverName, address, purpose, userId, sid, token })
  },
})

export const submitEmailPage = defineEndpoint({
  operation: 'submitEmailPage',
  method: 'POST',
  path: CONFIRM_PAGE,
  auth: 'none',
  rateLimit: 'read',
  body: 'stream',
  maxBodyBytes: MAX_FORM_BYTES,
  run: async (hs, { raw }) => {
    const form = new URLSearchParams(Buffer.from(await readBody(raw, MAX_FORM_BYTES, hs.clock)).toString())
    const sid = form.get('sid') ?? ''
    const token = form.get('token') ?? ''
    if ((await findOpen(hs, sid, token)) === undefined) return emailRefusalPage()
    const steps = [validateAddressSession(sid, sha256(token), hs.clock.now())]
    const result = await hs.db.commit({ entries: [], steps })
    return result.ok ? emailDonePage() : emailRefusalPage()
  },
})
