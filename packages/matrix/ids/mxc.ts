import type { Mxc, ServerName } from './ids.ts'
import { isServerName } from './server-name.ts'

const SCHEME = 'mxc://'
const MEDIA_ID = /^[A-Za-z0-9_-]{1,255}$/

/**
 * A content URI, or undefined. Both parts end up in paths and requests, so the media id may hold only
 * `A-Za-z0-9_-`. https://spec.matrix.org/v1.19/client-server-api/#content-repo-security-considerations
 */
export function parseMxc(text: string): Mxc | undefined {
  return isMxc(text) ? text : undefined
}

/** As `parseMxc`, as a type guard for values of any type. */
export function isMxc(value: unknown): value is Mxc {
  if (typeof value !== 'string' || !value.startsWith(SCHEME)) return false
  const slash = value.indexOf('/', SCHEME.length)
  if (slash === -1) return false
  return isServerName(value.slice(SCHEME.length, slash)) && isMediaId(value.slice(slash + 1))
}

/** Whether a path segment can be a media id. */
export function isMediaId(text: string): boolean {
  return MEDIA_ID.test(text)
}

/** The URI of a media id on a server, or undefined when the id holds anything but `A-Za-z0-9_-`. */
export function formatMxc(serverName: ServerName, mediaId: string): Mxc | undefined {
  return parseMxc(`${SCHEME}${serverName}/${mediaId}`)
}

/** Server and media id of a content URI. */
export function splitMxc(mxc: Mxc): { serverName: ServerName; mediaId: string } {
  const slash = mxc.indexOf('/', SCHEME.length)
  return { serverName: mxc.slice(SCHEME.length, slash) as ServerName, mediaId: mxc.slice(slash + 1) }
}
