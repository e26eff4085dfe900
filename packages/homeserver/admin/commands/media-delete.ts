import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isMediaId, parseMxc, splitMxc } from '@causeway/matrix/ids/mxc.ts'
import type { Homeserver } from '../../homeserver.ts'
import { deleteMedia, deleteMediaOf } from '../../media/delete-media.ts'
import { deleteRemoteMedia } from '../../media/remote/forget-remote-media.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser } from '../local-user.ts'

/** Reads `mxc://server/id`, or the id alone for what was uploaded here. */
function readMedia({ serverName }: Pick<Homeserver, 'serverName'>, text: string): MediaPlace {
  const mxc = parseMxc(text)
  if (mxc !== undefined) return splitMxc(mxc)
  if (isMediaId(text)) return { serverName, mediaId: text }
  throw invalidParam(`"${text}" is no media id and no mxc:// address`)
}

type MediaPlace = ReturnType<typeof splitMxc>

/** Of another server's media what is kept here goes; it is fetched anew when somebody asks for it. */
function remove(hs: Homeserver, { serverName, mediaId }: MediaPlace): Promise<boolean> {
  return serverName === hs.serverName ? deleteMedia(hs, mediaId) : deleteRemoteMedia(hs, serverName, mediaId)
}

export const command = defineAdminCommand({
  usage: '[media…]',
  summary: 'Delete media, or with --of everything that somebody uploaded',
  input: Type.Object({
    media: Type.Optional(Type.Array(Type.String(), { description: 'mxc:// addresses, or their last part' })),
    of: Type.Optional(Type.String({ description: 'An account here: all of its uploads' })),
  }),
  run: async (hs, { media = [], of: uploader }) => {
    if ((media.length === 0) === (uploader === undefined))
      throw invalidParam('Say either which uploads, or with --of whose')
    if (uploader !== undefined) return { deleted: await deleteMediaOf(hs, readLocalUser(hs, uploader)) }
    const places = media.map((text) => readMedia(hs, text))
    const missing: string[] = []
    for (const place of places) if (!(await remove(hs, place))) missing.push(place.mediaId)
    if (missing.length === places.length) throw notFound(`There is no such upload: ${missing.join(', ')}`)
    return { deleted: places.length - missing.length, not_found: missing }
  },
})
