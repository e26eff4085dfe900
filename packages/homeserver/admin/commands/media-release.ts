import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { isBlobHash } from '@causeway/store/blobs/blob-store.ts'
import { releaseBlob, releaseMedia } from '../../media/quarantine.ts'
import { defineAdminCommand } from '../command.ts'
import { readMedia } from '../media-place.ts'

export const command = defineAdminCommand({
  usage: '<media…>',
  summary: 'Give content free that was taken out of use',
  input: Type.Object({
    media: Type.Array(Type.String(), {
      minItems: 1,
      description: 'mxc:// addresses, their last part, or hashes as `media quarantined` lists them',
    }),
  }),
  run: async (hs, { media }) => {
    const missing: string[] = []
    for (const text of media) {
      const done = isBlobHash(text)
        ? await releaseBlob(hs, text)
        : await releaseMedia(hs, readMedia(hs, text))
      if (!done) missing.push(text)
    }
    if (missing.length === media.length) throw notFound(`Not out of use: ${missing.join(', ')}`)
    return { released: media.length - missing.length, not_found: missing }
  },
})
