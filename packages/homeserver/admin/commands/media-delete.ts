import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isMediaId, parseMxc, splitMxc } from '@causeway/matrix/ids/mxc.ts'
import type { Homeserver } from '../../homeserver.ts'
import { deleteMedia, deleteMediaOf } from '../../media/delete-media.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser } from '../local-user.ts'

/** Reads `mxc://here/id`, or the id alone. */
function readMediaId({ serverName }: Pick<Homeserver, 'serverName'>, text: string): string {
  const mxc = parseMxc(text)
  if (mxc === undefined) {
    if (isMediaId(text)) return text
    throw invalidParam(`"${text}" is no media id and no mxc:// address`)
  }
  const place = splitMxc(mxc)
  if (place.serverName !== serverName) throw invalidParam(`${text} was not uploaded to ${serverName}`)
  return place.mediaId
}

export const command = defineAdminCommand({
  usage: '[media…]',
  summary: 'Delete uploads, or with --of everything that somebody uploaded',
  input: Type.Object({
    media: Type.Optional(Type.Array(Type.String(), { description: 'mxc:// addresses, or their last part' })),
    of: Type.Optional(Type.String({ description: 'An account here: all of its uploads' })),
  }),
  run: async (hs, { media = [], of: uploader }) => {
    if ((media.length === 0) === (uploader === undefined))
      throw invalidParam('Say either which uploads, or with --of whose')
    if (uploader !== undefined) return { deleted: await deleteMediaOf(hs, readLocalUser(hs, uploader)) }
    const ids = media.map((text) => readMediaId(hs, text))
    const missing = []
    for (const id of ids) if (!(await deleteMedia(hs, id))) missing.push(id)
    if (missing.length === ids.length) throw notFound(`There is no such upload: ${missing.join(', ')}`)
    return { deleted: ids.length - missing.length, not_found: missing }
  },
})
