import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { isMediaId, parseMxc, splitMxc } from '@causeway/matrix/ids/mxc.ts'
import type { Homeserver } from '../homeserver.ts'
import type { MediaPlace } from '../media/quarantine.ts'

/** What commands about media are given. */
export const mediaArgument = Type.Optional(
  Type.Array(Type.String(), { description: 'mxc:// addresses, or their last part' }),
)
export const uploaderOption = Type.Optional(
  Type.String({ description: 'An account here: all of its uploads' }),
)

/** Reads `mxc://server/id`, or the id alone for what was uploaded here. */
export function readMedia({ serverName }: Pick<Homeserver, 'serverName'>, text: string): MediaPlace {
  const mxc = parseMxc(text)
  if (mxc !== undefined) return splitMxc(mxc)
  if (isMediaId(text)) return { serverName, mediaId: text }
  throw invalidParam(`"${text}" is no media id and no mxc:// address`)
}
