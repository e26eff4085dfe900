import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { quarantineMedia, quarantineMediaOf } from '../../media/quarantine.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser } from '../local-user.ts'
import { mediaArgument, readMedia, uploaderOption } from '../media-place.ts'

export const command = defineAdminCommand({
  usage: '[media…]',
  summary: 'Take content out of use: nobody is given it, and nobody can upload it again; the bytes stay',
  input: Type.Object({ media: mediaArgument, of: uploaderOption }),
  run: async (hs, { media = [], of: uploader }) => {
    if ((media.length === 0) === (uploader === undefined))
      throw invalidParam('Say either which media, or with --of whose')
    if (uploader !== undefined)
      return { quarantined: await quarantineMediaOf(hs, readLocalUser(hs, uploader)) }
    const places = media.map((text) => readMedia(hs, text))
    const missing: string[] = []
    for (const place of places) if (!(await quarantineMedia(hs, place))) missing.push(place.mediaId)
    if (missing.length === places.length) throw notFound(`There is no such media here: ${missing.join(', ')}`)
    return { quarantined: places.length - missing.length, not_found: missing }
  },
})
