import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findLoginTokenUser,
  forgetExpiredLoginTokens,
  insertLoginToken,
  spendLoginToken,
} from '@causeway/store/tables/login-tokens.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'
import { logInAs, type WantedDevice } from './log-in.ts'

/** How long a token is good for. */
export const LOGIN_TOKEN_MS = 2 * 60 * 1000
const TOKEN_LENGTH = 40
const MAX_TOKEN_LENGTH = 512

/** A token with which another client logs in as this user, once. Expired ones are forgotten in the same write. */
export async function createLoginToken(
  { db, clock, random }: Pick<Homeserver, 'db' | 'clock' | 'random'>,
  userId: UserId,
): Promise<string> {
  const token = random.token(TOKEN_LENGTH)
  const now = clock.now()
  const made = insertLoginToken(sha256(token), userId, now + LOGIN_TOKEN_MS)
  await db.commit({ entries: [], steps: [forgetExpiredLoginTokens(now), made] })
  return token
}

/** A login by such a token. Throws `M_FORBIDDEN` for one that is unknown, used or too old, and `M_USER_LOCKED`. */
export async function logInWithToken(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random' | 'serverName' | 'sessions' | 'accounts'>,
  token: string,
  device: WantedDevice,
): Promise<JsonObject> {
  const hash = sha256(token.slice(0, MAX_TOKEN_LENGTH))
  const userId = await findLoginTokenUser(hs.db, hash, hs.clock.now())
  const user = userId === undefined ? undefined : await findUser(hs.db, userId)
  if (user === undefined) throw forbidden('This login token was used already, or has expired; make another')
  return logInAs(hs, user, device, [spendLoginToken(hash)])
}
