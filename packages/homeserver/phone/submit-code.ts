import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Errcode } from '@causeway/matrix/errors/errcodes.ts'
import {
  findAddressSession,
  guessAddressSession,
  validateAddressSession,
} from '@causeway/store/tables/address-sessions.ts'
import type { SessionCredentials } from '../addresses/confirmed-address.ts'
import type { Homeserver } from '../homeserver.ts'
import { isCode } from './code.ts'

/** Of one code. */
const MAX_GUESSES = 5

/** As identity servers say it: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken */
function refuse(errcode: Errcode, message: string): MatrixError {
  return new MatrixError(errcode, message, { extra: { success: false } })
}

const gone = (): MatrixError =>
  refuse('M_SESSION_EXPIRED', 'This code cannot be used any more: have another one sent')

/**
 * Takes the code that somebody typed; the same again is answered the same. A guess is counted before it is looked at, so
 * that many at once are no more than a few. Throws `M_TOKEN_INCORRECT`, and `M_SESSION_EXPIRED` for what is not known
 * (any more) and after too many guesses.
 */
export async function submitCode(
  hs: Pick<Homeserver, 'db' | 'clock'>,
  { sid, clientSecret }: SessionCredentials,
  typed: string,
): Promise<void> {
  const now = hs.clock.now()
  const session = await findAddressSession(hs.db, sid, now)
  if (session?.medium !== 'msisdn' || session.client_secret !== clientSecret) throw gone()
  const { token_hash: hash, validated_ts: validatedTs } = session
  if (validatedTs === 0) {
    const guess = guessAddressSession(sid, MAX_GUESSES, now)
    if (!(await hs.db.commit({ entries: [], steps: [guess] })).ok) throw gone()
  }
  if (!isCode(typed, hash)) throw refuse('M_TOKEN_INCORRECT', 'This is not the code of the last text message')
  if (validatedTs !== 0) return
  const isDone = (await hs.db.commit({ entries: [], steps: [validateAddressSession(sid, hash, now)] })).ok
  // The same code may have been sent twice at the same time.
  if (!isDone && ((await findAddressSession(hs.db, sid, now))?.validated_ts ?? 0) === 0) throw gone()
}
