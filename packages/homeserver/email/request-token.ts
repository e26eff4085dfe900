import { invalidParam, limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findSessionOfClient,
  forgetExpiredEmailSessions,
  setEmailSession,
  type EmailPurpose,
} from '@causeway/store/tables/email-sessions.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { publicBaseUrl } from '../config.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'
import { readEmailAddress } from './address.ts'
import { confirmMail, haveAccountMail } from './mails.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'config' | 'serverName' | 'email'>

/** A client wants somebody to prove that an address is theirs. */
export interface TokenRequest {
  readonly email: string
  readonly clientSecret: string
  readonly sendAttempt: number
  readonly purpose: EmailPurpose
  /** Who adds the address; empty where nobody is logged in. */
  readonly userId: string
}

/** Where the link in a mail leads to. */
export const CONFIRM_PAGE = '/_causeway/email'
/** How long the link is good, and what it confirmed. */
export const EMAIL_SESSION_MS = 2 * 3_600_000
const RETRY_MS = 60_000

/**
 * Begins a session and sends a mail for it, unless the client asks again for the same one. Whether an address is
 * somebody's is told to nobody but who receives its mail. Throws `M_INVALID_PARAM`, `M_LIMIT_EXCEEDED`.
 * @returns the session's id
 */
export async function requestEmailToken(hs: Deps, request: TokenRequest): Promise<string> {
  const { clientSecret, purpose, userId, sendAttempt } = request
  const address = readEmailAddress(request.email)
  if (address === undefined) throw invalidParam('email must be an address such as alice@example.org')
  const owner = await findThreepidUser(hs.db, address)
  const now = hs.clock.now()
  const earlier = await findSessionOfClient(hs.db, { address, clientSecret, purpose }, now)
  const isAgain = earlier !== undefined && earlier.user_id === userId
  if (isAgain && sendAttempt <= earlier.send_attempt) return earlier.sid
  if (hs.email.takeTurn(address) > 0) throw limitExceeded(RETRY_MS)
  const token = hs.random.token(40)
  const sid = isAgain ? earlier.sid : hs.random.token(24)
  const session = {
    sid,
    client_secret: clientSecret,
    address,
    purpose,
    user_id: userId,
    send_attempt: sendAttempt,
    token_hash: sha256(token),
    expires_ts: now + EMAIL_SESSION_MS,
    validated_ts: 0,
  }
  await hs.db.commit({ entries: [], steps: [forgetExpiredEmailSessions(now), setEmailSession(session)] })
  const link = `${publicBaseUrl(hs.config)}${CONFIRM_PAGE}?sid=${sid}&token=${token}`
  const mail =
    purpose !== 'reset' && owner !== undefined
      ? haveAccountMail(hs.serverName, address, owner)
      : purpose === 'reset' && owner === undefined
        ? undefined
        : confirmMail(hs.serverName, { address, purpose, link, userId: owner ?? userId })
  if (mail !== undefined && !hs.email.send(mail)) throw limitExceeded(RETRY_MS)
  return sid
}
