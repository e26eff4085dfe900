import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import {
  deleteOldTokens,
  exchangeRefreshToken,
  expireTokens,
  findRefreshToken,
  insertAccessToken,
  insertRefreshToken,
  type RefreshTokenRecord,
} from '@causeway/store/tables/tokens.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'
import { userLocked } from '../http/account-standing.ts'
import { ACCESS_TOKEN_MS, makeAccessToken, newToken } from './new-session.ts'
import { softLogout } from './sessions.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'sessions' | 'accounts' | 'logger'>

/** Tokens that are worth nothing are kept this long, to tell their clients so. */
const KEEP_OLD_MS = 24 * 60 * 60_000
const ATTEMPTS = 3

/**
 * Exchanges a refresh token for a new pair. The old one stays good until the new pair is first used, in case the
 * answer gets lost; used after that, it was stolen, and all tokens of the device end. Two requests at once get
 * one answer. Throws `M_UNKNOWN_TOKEN` (with `soft_logout` where a login on the same device helps) and
 * `M_USER_LOCKED`.
 * https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens
 */
export function refreshSession(hs: Deps, token: string): Promise<JsonObject> {
  const hash = sha256(token)
  return hs.accounts.refreshes.run(hash, async () => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await findRefreshToken(hs.db, hash)
      if (found === undefined) throw unknownToken()
      const answer = await exchange(hs, found)
      if (answer !== undefined) return answer
    }
    throw new MatrixError('M_UNKNOWN', 'The token is being refreshed by somebody else; try again')
  })
}

const unknownToken = (): MatrixError =>
  new MatrixError('M_UNKNOWN_TOKEN', 'This refresh token is not known here (any more); log in again')

/** The new pair, or undefined when the token changed after it was read. */
async function exchange(hs: Deps, token: RefreshTokenRecord): Promise<JsonObject | undefined> {
  const { userId, deviceId } = token
  const user = await findUser(hs.db, userId)
  if (user === undefined || user.deactivatedTs !== 0) throw unknownToken()
  if (user.isLocked) throw userLocked()
  if (token.isSpent) return await endStolen(hs, token)
  const now = hs.clock.now()
  const refresh = newToken(hs.random, 'refresh')
  const refreshHash = sha256(refresh)
  const access = makeAccessToken(hs, { userId, deviceId, unconfirmed: token.tokenHash }, true)
  const steps = [
    ...exchangeRefreshToken(token, refreshHash),
    insertRefreshToken({ tokenHash: refreshHash, userId, deviceId }, now),
    insertAccessToken(access.row),
    ...deleteOldTokens(userId, deviceId, now - KEEP_OLD_MS),
  ]
  const result = await hs.db.commit({ entries: [], steps })
  if (!result.ok) return undefined
  // What was exchanged for it before may be in memory as good.
  hs.sessions.forget(userId as UserId, deviceId as DeviceId)
  return { access_token: access.token, refresh_token: refresh, expires_in_ms: ACCESS_TOKEN_MS }
}

async function endStolen(hs: Deps, { userId, deviceId }: RefreshTokenRecord): Promise<never> {
  await hs.db.commit({ entries: [], steps: expireTokens(userId, deviceId) })
  hs.sessions.forget(userId as UserId, deviceId as DeviceId)
  hs.logger.warn('a refresh token was used twice; its device has to log in again', { userId, deviceId })
  throw softLogout()
}
