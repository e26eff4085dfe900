import {
  insertRegistrationToken,
  isUsable,
  listRegistrationTokens,
} from '@causeway/store/tables/registration-tokens.ts'
import { hasPeople } from '@causeway/store/tables/users.ts'
import { publicBaseUrl } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'

/** Where the page is on which somebody with a token makes their account. */
export const REGISTRATION_PAGE = '/_causeway/register'

/** The address at which a token can be used by hand. */
export function invitationLink({ config }: Pick<Homeserver, 'config'>, token: string): string {
  return `${publicBaseUrl(config)}${REGISTRATION_PAGE}?token=${encodeURIComponent(token)}`
}

/**
 * The link by which the first administrator makes their account; the same one at each start until it is used.
 * Undefined once anybody has an account.
 */
export async function ensureFirstAdminLink(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random' | 'config'>,
): Promise<string | undefined> {
  if (await hasPeople(hs.db)) return undefined
  const now = hs.clock.now()
  const tokens = await listRegistrationTokens(hs.db)
  const waiting = tokens.find((one) => one.makesAdmin && isUsable(one, now))
  if (waiting !== undefined) return invitationLink(hs, waiting.token)
  const token = hs.random.token(32)
  const step = insertRegistrationToken({
    token,
    usesAllowed: 1,
    usesCompleted: 0,
    createdTs: now,
    expiresTs: undefined,
    makesAdmin: true,
  })
  await hs.db.commit({ entries: [], steps: [step] })
  return invitationLink(hs, token)
}
