import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { HomeserverConfig } from '../../config.ts'
import { publicBaseUrl } from '../../config.ts'
import type { Homeserver } from '../../homeserver.ts'

type Deps = Pick<Homeserver, 'signer'>

/** Where the link in a mail of missed messages leads to. */
export const UNSUBSCRIBE_PAGE = '/_causeway/unsubscribe'

/** Bytes of the signature: 192 bits can't be guessed. */
const SIGNATURE_BYTES = 24

function sign({ signer }: Deps, nid: string): Buffer {
  // Made from the server's key for this alone, so that nothing more has to be kept; it ends with that key.
  const key = createHash('sha256').update(signer.sign('causeway: key of links that end e-mail')).digest()
  return createHmac('sha256', key).update(nid).digest().subarray(0, SIGNATURE_BYTES)
}

/** A link by which whoever receives the mails of a pusher ends them, without logging in. */
export function unsubscribeUrl(
  deps: Deps & { readonly config: HomeserverConfig },
  pusherNid: number,
): string {
  const signature = sign(deps, String(pusherNid)).toString('base64url')
  return `${publicBaseUrl(deps.config)}${UNSUBSCRIBE_PAGE}?token=${pusherNid}-${signature}`
}

/** The number of the pusher that a token is for; undefined for one that this server did not make. */
export function readUnsubscribeToken(deps: Deps, token: string): number | undefined {
  const [, nid, signature] = /^(\d{1,15})-([A-Za-z0-9_-]{32})$/.exec(token) ?? []
  if (nid === undefined || signature === undefined) return undefined
  return timingSafeEqual(Buffer.from(signature, 'base64url'), sign(deps, nid)) ? Number(nid) : undefined
}
