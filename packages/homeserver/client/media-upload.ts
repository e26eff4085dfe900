// https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload
import type { IncomingMessage } from 'node:http'
import { Type } from 'typebox'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { notFound, tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { parsedText } from '../http/schemas.ts'
import { mediaIdText } from './media-schemas.ts'
import {
  cleanContentType,
  cleanFilename,
  createPending,
  fillPending,
  storeUpload,
  type Upload,
} from '../media/upload.ts'

export const mediaParams = Type.Object({
  serverName: parsedText<ServerName>('a server name', isServerName),
  mediaId: mediaIdText,
})

/** Path of a media operation under its present prefix and the older ones. */
export function mediaPath(path: string): { path: string; also: readonly string[] } {
  return {
    path: `/_matrix/media/v3${path}`,
    also: [`/_matrix/media/r0${path}`, `/_matrix/media/v1${path}`],
  }
}

/** The request's body as an upload. Throws `M_TOO_LARGE` when it announces more than is allowed. */
function uploadOf(hs: Homeserver, raw: IncomingMessage, filename: string | undefined): Upload {
  const maxBytes = hs.config.media.max_upload_size
  if (Number(raw.headers['content-length'] ?? 0) > maxBytes) {
    throw tooLarge(`Uploads may have at most ${maxBytes} bytes`)
  }
  return {
    // Left open when we stop reading, so that the sender gets to read why.
    source: raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    contentType: cleanContentType(raw.headers['content-type']),
    filename: cleanFilename(filename),
  }
}

const nameQuery = Type.Object({ filename: Type.Optional(Type.String()) })

export const uploadContent = defineEndpoint({
  operation: 'uploadContent',
  method: 'POST',
  ...mediaPath('/upload'),
  auth: 'user',
  rateLimit: 'media',
  query: nameQuery,
  body: 'stream',
  run: async (hs, { session, query, raw }) => ({
    content_uri: await storeUpload(hs, session.userId, uploadOf(hs, raw, query.filename)),
  }),
})

export const createContent = defineEndpoint({
  operation: 'createContent',
  method: 'POST',
  path: '/_matrix/media/v1/create',
  auth: 'user',
  rateLimit: 'media',
  run: async (hs, { session }) => {
    const { mxc, expiresTs } = await createPending(hs, session.userId)
    return { content_uri: mxc, unused_expires_at: expiresTs }
  },
})

export const uploadContentToMXC = defineEndpoint({
  operation: 'uploadContentToMXC',
  method: 'PUT',
  ...mediaPath('/upload/:serverName/:mediaId'),
  auth: 'user',
  rateLimit: 'media',
  params: mediaParams,
  query: nameQuery,
  body: 'stream',
  run: async (hs, { session, params, query, raw }) => {
    if (params.serverName !== hs.serverName) throw notFound('This id was not made by this server')
    await fillPending(hs, session.userId, params.mediaId, uploadOf(hs, raw, query.filename))
    return {}
  },
})
