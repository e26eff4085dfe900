import { Type } from 'typebox'
import { isMediaId } from '@causeway/matrix/ids/mxc.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { parsedText } from '../http/schemas.ts'
import { findMedia } from '../media/find-media.ts'
import { PUBLIC_MEDIA_PATH, verifyPublicLink } from '../media/public-link.ts'
import { CACHE_SECONDS, serveFile } from './media-response.ts'

/** Media by a signed link that expires: what people without an account, on other networks, are given. */
export const getPublicMedia = defineEndpoint({
  operation: 'getPublicMedia',
  method: 'GET',
  path: `${PUBLIC_MEDIA_PATH}/:grant/:mediaId/:fileName`,
  auth: 'none',
  rateLimit: 'media',
  params: Type.Object({
    grant: Type.String(),
    mediaId: parsedText<string>('a media id', isMediaId),
    fileName: Type.String(),
  }),
  run: async (hs, { params, raw, signal }) => {
    const expiresTs = verifyPublicLink(hs, params.grant, params.mediaId)
    if (expiresTs === undefined) throw notFound('This link has expired, or was not made by this server')
    const request = { serverName: hs.serverName, mediaId: params.mediaId, timeoutMs: 0, onlyOpen: false }
    const media = await findMedia(hs, request, signal)
    const seconds = Math.min(CACHE_SECONDS, Math.floor((expiresTs - hs.clock.now()) / 1000))
    return serveFile(hs, raw, {
      hash: media.hash,
      contentType: media.content_type,
      // Not the name in the address: whoever passes a link on could write anything there.
      filename: media.filename,
      cache: { scope: 'public', seconds },
    })
  },
})
