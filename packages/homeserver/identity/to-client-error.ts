import type { Errcode } from '@causeway/matrix/errors/errcodes.ts'
import { MatrixError, limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import { IdentityFailed, IdentityRefused } from './identity-servers.ts'

const BAD_GATEWAY = 502
const RETRY_MS = 60_000

/**
 * What clients can act on, in our words. A refused token is never a 401 of ours: the client would take it for the end
 * of its login here.
 */
const SHOWN: Readonly<Record<string, readonly [errcode: Errcode, sentence: string]>> = {
  M_TERMS_NOT_SIGNED: ['M_TERMS_NOT_SIGNED', 'wants its terms to be accepted first'],
  M_UNAUTHORIZED: ['M_FORBIDDEN', 'does not accept id_access_token, or does not allow this'],
  M_UNKNOWN_TOKEN: ['M_FORBIDDEN', 'does not know id_access_token: log in there again'],
  M_FORBIDDEN: ['M_FORBIDDEN', 'does not allow this'],
  M_THREEPID_IN_USE: ['M_THREEPID_IN_USE', 'says that the address belongs to a Matrix user already'],
  M_UNRECOGNIZED: ['M_THREEPID_MEDIUM_NOT_SUPPORTED', 'cannot do this for an address of this kind'],
  M_INVALID_PARAM: ['M_INVALID_PARAM', 'does not accept what it was asked'],
  M_INVALID_EMAIL: ['M_INVALID_PARAM', 'says that this is no e-mail address'],
  M_NO_VALID_SESSION: ['M_NO_VALID_SESSION', 'knows no such sid and client_secret'],
  M_SESSION_NOT_VALIDATED: ['M_SESSION_NOT_VALIDATED', 'is still waiting for the address to be confirmed'],
  M_SESSION_EXPIRED: ['M_SESSION_EXPIRED', 'has forgotten that the address was confirmed: confirm it again'],
}

function refusalOf(server: string, { status, errcode = '' }: IdentityRefused): MatrixError | undefined {
  if (status === 429 || errcode === 'M_LIMIT_EXCEEDED') return limitExceeded(RETRY_MS)
  const shown = Object.hasOwn(SHOWN, errcode) ? SHOWN[errcode] : undefined
  return shown && new MatrixError(shown[0], `The identity server ${server} ${shown[1]}`)
}

/** Does something with an identity server for a client. Throws a refusal that the client can be shown. */
export async function withIdentityServer<T>(server: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const refusal = error instanceof IdentityRefused ? refusalOf(server, error) : undefined
    if (refusal !== undefined) throw refusal
    if (!(error instanceof IdentityRefused) && !(error instanceof IdentityFailed)) throw error
    const text =
      error instanceof IdentityRefused
        ? `The identity server ${server} answered with an error; try again later`
        : `The identity server ${server} cannot be reached, or answers what makes no sense; try again later`
    throw new MatrixError('M_UNKNOWN', text, { status: BAD_GATEWAY, cause: error })
  }
}
