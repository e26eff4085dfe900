import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../../homeserver.ts'
import { deleteMedia, deleteMediaOf } from '../../media/delete-media.ts'
import type { MediaPlace } from '../../media/quarantine.ts'
import { deleteRemoteMedia } from '../../media/remote/forget-remote-media.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser } from '../local-user.ts'
import { mediaArgument, readMedia, uploaderOption } from '../media-place.ts'

/** Of another server's media what is kept here goes; it is fetched anew when somebody asks for it. */
function remove(hs: Homeserver, { serverName, mediaId }: MediaPlace): Promise<boolean> {
  return serverName === hs.serverName ? deleteMedia(hs, mediaId) : deleteRemoteMedia(hs, serverName, mediaId)
}

export const command = defineAdminCommand({
  usage: '[media…]',
  summary: 'Delete media, or with --of everything that somebody uploaded',
  input: Type.Object({
    media: mediaArgument,
    of: uploaderOption,
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
