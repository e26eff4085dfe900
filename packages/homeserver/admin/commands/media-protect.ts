import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { protectMedia } from '../../media/quarantine.ts'
import { defineAdminCommand } from '../command.ts'
import { readMedia } from '../media-place.ts'

export const command = defineAdminCommand({
  usage: '<media…>',
  summary: 'Have uploads that were looked at spared when content is taken out of use',
  input: Type.Object({
    media: Type.Array(Type.String(), {
      minItems: 1,
      description: 'mxc:// addresses of this server, or their last part',
    }),
    undo: Type.Optional(Type.Boolean({ description: 'They are not spared any more' })),
  }),
  run: async (hs, { media, undo = false }) => {
    const missing: string[] = []
    for (const text of media) {
      const { serverName, mediaId } = readMedia(hs, text)
      const done = serverName === hs.serverName && (await protectMedia(hs, mediaId, !undo))
      if (!done) missing.push(text)
    }
    if (missing.length === media.length) throw notFound(`No such uploads here: ${missing.join(', ')}`)
    return { [undo ? 'unprotected' : 'protected']: media.length - missing.length, not_found: missing }
  },
})
