import { invalidParam, limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import { beginSession, RETRY_MS, type SessionRequest } from '../addresses/begin-session.ts'
import { publicBaseUrl } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'
import { readEmailAddress } from './address.ts'
import { confirmMail, haveAccountMail } from './mails.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'config' | 'serverName' | 'email'>

/** A client wants somebody to prove that an address is theirs. */
export interface TokenRequest extends Omit<SessionRequest, 'medium' | 'address'> {
  readonly email: string
}

/** Where the link in a mail leads to. */
export const CONFIRM_PAGE = '/_causeway/email'
/** How long the link is good, and what it confirmed. */
export const EMAIL_SESSION_MS = 2 * 3_600_000

/**
 * Begins a session and sends a mail for it, unless the client asks again for the same one. Whether an address is
 * somebody's is told to nobody but who receives its mail. Throws `M_INVALID_PARAM`, `M_LIMIT_EXCEEDED`.
 * @returns the session's id
 */
export async function requestEmailToken(hs: Deps, { email, ...request }: TokenRequest): Promise<string> {
  const address = readEmailAddress(email)
  if (address === undefined) throw invalidParam('email must be an address such as alice@example.org')
  const secret = hs.random.token(40)
  const { sid, sending } = await beginSession(
    hs,
    { ...request, medium: 'email', address },
    { secret, lifetimeMs: EMAIL_SESSION_MS, takeTurn: () => hs.email.takeTurn(address) === 0 },
  )
  if (sending === undefined || sending.kind === 'nothing') return sid
  const { userId } = sending
  const link = `${publicBaseUrl(hs.config)}${CONFIRM_PAGE}?sid=${sid}&token=${secret}`
  const mail =
    sending.kind === 'has_account'
      ? haveAccountMail(hs.serverName, address, userId)
      : confirmMail(hs.serverName, { address, purpose: request.purpose, link, userId })
  if (!hs.email.send(mail)) throw limitExceeded(RETRY_MS)
  return sid
}
