import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Where signed links to files are served. */
export const MEDIA_PATH = '/_causeway/media/'

const MXC = /^mxc:\/\/([A-Za-z0-9.:[\]_-]{1,255})\/([A-Za-z0-9_-]{1,255})$/

/** A key for signing links, from any secret that stays the same across restarts. */
export function mediaLinkKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', 'causeway media links', 32))
}

function macOf(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url').slice(0, 22)
}

/**
 * The path of a link to a file that anybody may open until `expiresTs` (milliseconds since 1970). It names the file,
 * the end and a proof that we gave it out; nothing has to be remembered. Undefined for what is no mxc address.
 */
export function formatMediaLink(key: Uint8Array, mxc: string, expiresTs: number): string | undefined {
  const match = MXC.exec(mxc)
  if (match === null) return undefined
  const expires = Math.ceil(expiresTs / 1000).toString(36)
  const text = `${expires}/${match[1]}/${match[2]}`
  return `${MEDIA_PATH}${macOf(key, text)}/${text}`
}

/** What a link's path stands for, if we gave it out and it has not expired. */
export function parseMediaLink(
  key: Uint8Array,
  path: string,
  now: number,
): { serverName: string; mediaId: string } | undefined {
  const match = /^([A-Za-z0-9_-]{22})\/(([0-9a-z]{1,10})\/([^/]+)\/([^/]+))$/.exec(
    path.startsWith(MEDIA_PATH) ? path.slice(MEDIA_PATH.length) : '',
  )
  const [, mac = '', text = '', expires = '', serverName = '', mediaId = ''] = match ?? []
  if (mac === '' || !timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(key, text)))) return undefined
  return Number.parseInt(expires, 36) * 1000 > now ? { serverName, mediaId } : undefined
}
