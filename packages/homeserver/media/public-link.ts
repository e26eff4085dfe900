import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { findMediaRow, type MediaRow } from '@causeway/store/tables/media.ts'
import { publicBaseUrl } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'

/** Path of public links, up to the signature. */
export const PUBLIC_MEDIA_PATH = '/_causeway/media'

/** Bytes of the signature: 128 bits cannot be guessed, and keep links short. */
const SIGNATURE_BYTES = 16

function sign(key: Uint8Array, mediaId: string, expiresTs: number): Buffer {
  const mac = createHmac('sha256', key).update(`${expiresTs} ${mediaId}`)
  return mac.digest().subarray(0, SIGNATURE_BYTES)
}

/** A file name for links: what has none, or none that an address can hold, is named after its type. */
function linkName({ filename, content_type: contentType }: MediaRow): string {
  if (filename !== '') return filename.replaceAll('/', '_')
  const [kind = 'file', subtype = ''] = contentType.split(';', 1)[0]!.split('/')
  return /^[a-z0-9]{1,8}$/.test(subtype) ? `${kind}.${subtype}` : 'file'
}

/**
 * A link to media of ours that works without an account until it expires: for people on other networks.
 * Undefined for media that is not here (yet). A link cannot be called back, but by deleting the media.
 * @param lifetimeMs from now, in milliseconds; links end at full hours, so that asking again gives the same one
 */
export async function publicMediaUrl(
  hs: Pick<Homeserver, 'serverName' | 'config' | 'db' | 'clock' | 'media'>,
  mxc: Mxc,
  lifetimeMs: number,
): Promise<string | undefined> {
  const { serverName, mediaId } = splitMxc(mxc)
  const row = serverName === hs.serverName ? await findMediaRow(hs.db, mediaId) : undefined
  if (row === undefined || row.hash === '') return undefined
  const hour = 3_600_000
  const exact = hs.clock.now() + lifetimeMs
  const expiresTs = lifetimeMs >= hour ? Math.ceil(exact / hour) * hour : exact
  const signature = sign(hs.media.linkKey, mediaId, expiresTs).toString('base64url')
  const name = encodeURIComponent(linkName(row))
  return `${publicBaseUrl(hs.config)}${PUBLIC_MEDIA_PATH}/${expiresTs}-${signature}/${mediaId}/${name}`
}

/**
 * Checks the signed part of a public link.
 * @returns when it expires, in milliseconds since the epoch; undefined for a forged or expired one
 */
export function verifyPublicLink(
  hs: Pick<Homeserver, 'clock' | 'media'>,
  grant: string,
  mediaId: string,
): number | undefined {
  const parts = /^(\d{1,15})-([A-Za-z0-9_-]{22})$/.exec(grant)
  if (parts === null) return undefined
  const expiresTs = Number(parts[1])
  const given = Buffer.from(parts[2]!, 'base64url')
  const right = sign(hs.media.linkKey, mediaId, expiresTs)
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
  return expiresTs > hs.clock.now() ? expiresTs : undefined
}
