import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findOpenIdUser, insertOpenIdToken } from '@causeway/store/tables/openid-tokens.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'

/** How long a token is good for, in seconds. */
export const OPENID_TOKEN_SECONDS = 60 * 60
const TOKEN_LENGTH = 40
const MAX_TOKEN_LENGTH = 512

type Deps = Pick<Homeserver, 'db' | 'clock'>

/** A new token by which a third party can find out who somebody is; it is good for nothing else. */
export async function createOpenIdToken(
  { db, clock, random }: Deps & Pick<Homeserver, 'random'>,
  userId: UserId,
): Promise<string> {
  const token = random.token(TOKEN_LENGTH)
  const expiresTs = clock.now() + OPENID_TOKEN_SECONDS * 1000
  await db.commit({ entries: [], steps: [insertOpenIdToken(sha256(token), userId, expiresTs)] })
  return token
}

/** Whose token it is; undefined when it is unknown or has expired, or its owner has no account any more. */
export async function findOpenIdOwner({ db, clock }: Deps, token: string): Promise<UserId | undefined> {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  return (await findOpenIdUser(db, sha256(token), clock.now())) as UserId | undefined
}
