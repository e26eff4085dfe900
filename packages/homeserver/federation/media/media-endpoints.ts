// https://spec.matrix.org/v1.19/server-server-api/#content-repository
import { Type } from 'typebox'
import { mediaIdText, thumbnailQuery } from '../../client/media-schemas.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { findMedia } from '../../media/find-media.ts'
import { findThumbnail } from '../../media/thumbnails.ts'
import { multipartResponse } from './multipart-response.ts'

const params = Type.Object({ mediaId: mediaIdText })

/** Media of ours, whoever is to see it: other servers vouch for their own users. */
export const getFederationMedia = defineEndpoint({
  operation: 'getContentOverFederation',
  method: 'GET',
  path: '/_matrix/federation/v1/media/download/:mediaId',
  auth: 'server',
  rateLimit: 'federation',
  params,
  query: Type.Object({ timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })) }),
  run: async (hs, { params: { mediaId }, query, signal }) => {
    const request = { serverName: hs.serverName, mediaId, timeoutMs: query.timeout_ms, onlyOpen: false }
    const media = await findMedia(hs, request, signal)
    return multipartResponse(hs, {
      hash: media.hash,
      contentType: media.content_type,
      filename: media.filename,
    })
  },
})

export const getFederationThumbnail = defineEndpoint({
  operation: 'getContentThumbnailOverFederation',
  method: 'GET',
  path: '/_matrix/federation/v1/media/thumbnail/:mediaId',
  auth: 'server',
  rateLimit: 'federation',
  params,
  query: thumbnailQuery,
  run: async (hs, { params: { mediaId }, query, signal }) => {
    const request = { serverName: hs.serverName, mediaId, timeoutMs: query.timeout_ms, onlyOpen: false }
    const media = await findMedia(hs, request, signal)
    const { width, height, method = 'scale', animated = false } = query
    const made = await findThumbnail(hs, media, { width, height, method, animated })
    const filename = `thumbnail.${made.content_type.split('/')[1]}`
    return multipartResponse(hs, { hash: made.hash, contentType: made.content_type, filename })
  },
})
