import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Homeserver } from '../../homeserver.ts'
import { readBody } from '../../outgoing/read-body.ts'
import {
  draftThirdPartyInvite,
  type InviteKey,
  type ThirdPartyInvite,
} from '../../rooms/join/third-party-invite.ts'
import type { FetchUrl } from '../federation-client.ts'
import { requireInvitable } from './require-invitable.ts'

export type CompleteDeps = Pick<Homeserver, 'rooms' | 'serverName' | 'db' | 'appservices' | 'logger'> & {
  readonly joining: Pick<Homeserver['joining'], 'sendInvite'>
  readonly federation: Pick<Homeserver['federation'], 'client' | 'fetchUrl'>
}

/**
 * Turns an invitation by address into one of the user whose it is, in a room that we are in: whoever inserts it has to
 * ask first whether the key is still good. Throws `M_FORBIDDEN` with the reason, `M_UNKNOWN` (502) when nobody could be
 * asked. https://spec.matrix.org/v1.19/server-server-api/#third-party-invites
 */
export async function completeInvitation(
  hs: CompleteDeps,
  invite: ThirdPartyInvite,
  signal: AbortSignal,
): Promise<void> {
  if (serverNameOf(invite.target) === hs.serverName) await requireInvitable(hs)(invite.target, invite.sender)
  const { built, key } = await draftThirdPartyInvite(hs.rooms, invite)
  await requireValidKey(hs.federation.fetchUrl, key)
  await hs.joining.sendInvite(invite.roomId, built, signal)
}

const TIMEOUT_MS = 15_000
const MAX_ANSWER = 4 * 1024

async function requireValidKey(fetchUrl: FetchUrl, { publicKey, validityUrl }: InviteKey): Promise<void> {
  if (validityUrl === undefined) return
  const url = URL.canParse(validityUrl) ? new URL(validityUrl) : undefined
  if (url?.protocol !== 'https:')
    throw forbidden('The invitation does not say where to ask whether its key is valid')
  url.searchParams.set('public_key', publicKey)
  if (!(await askWhetherValid(fetchUrl, url)))
    throw forbidden(`${url.host} says that the key of the invitation is not valid any more`)
}

async function askWhetherValid(fetchUrl: FetchUrl, url: URL): Promise<boolean> {
  try {
    const { status, body } = await fetchUrl(url, TIMEOUT_MS)
    const answer = parseJson(await readBody(body, MAX_ANSWER))
    if (status !== 200 || !isJsonObject(answer)) throw new Error(`it answered with status ${status}`)
    return answer['valid'] === true
  } catch (cause) {
    throw new MatrixError(
      'M_UNKNOWN',
      `${url.host} does not say whether the key of the invitation is valid`,
      {
        status: 502,
        cause,
      },
    )
  }
}
