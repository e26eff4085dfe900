// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid
import type { IncomingMessage } from 'node:http'
import { Type, type Static } from 'typebox'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type AnyEndpoint, type EndpointAuth, type HttpResponse } from '../http/endpoint.ts'
import { findMedia, type MediaRequest } from '../media/find-media.ts'
import { findThumbnail } from '../media/thumbnails.ts'
import { cleanFilename } from '../media/upload.ts'
import { CACHE_SECONDS, serveFile } from './media-response.ts'
import { downloadQuery, thumbnailQuery } from './media-schemas.ts'
import { mediaParams, mediaPath } from './media-upload.ts'

const namedParams = Type.Intersect([mediaParams, Type.Object({ fileName: Type.Optional(Type.String()) })])

/** The parts of a request that all these operations have. */
interface Asked {
  readonly raw: IncomingMessage
  readonly signal: AbortSignal
  readonly params: Static<typeof namedParams>
  readonly query: { readonly timeout_ms?: number; readonly allow_remote?: boolean }
}

/** Where an operation stands: the present path with an account, or the older one without. */
interface Door {
  readonly isOpen: boolean
  readonly auth: EndpointAuth
  path(rest: string): { path: string; also?: readonly string[] }
}

const MEMBERS: Door = {
  isOpen: false,
  auth: 'user',
  path: (rest) => ({
    path: `/_matrix/client/v1/media${rest}`,
    also: [`/_matrix/client/unstable/org.matrix.msc3916/media${rest}`],
  }),
}
const EVERYBODY: Door = { isOpen: true, auth: 'none', path: mediaPath }

function mediaRequest({ params, query }: Asked, { isOpen }: Door): MediaRequest {
  const { serverName, mediaId } = params
  return {
    serverName,
    mediaId,
    timeoutMs: query.timeout_ms,
    onlyOpen: isOpen,
    mayFetch: query.allow_remote !== false,
  }
}

function cacheOf({ isOpen }: Door): { scope: 'private' | 'public'; seconds: number } {
  return { scope: isOpen ? 'public' : 'private', seconds: CACHE_SECONDS }
}

async function download(hs: Homeserver, asked: Asked, door: Door): Promise<HttpResponse> {
  const media = await findMedia(hs, mediaRequest(asked, door), asked.signal)
  const { fileName } = asked.params
  return serveFile(hs, asked.raw, {
    hash: media.hash,
    contentType: media.content_type,
    filename: fileName === undefined ? media.filename : cleanFilename(fileName),
    cache: cacheOf(door),
  })
}

async function thumbnail(
  hs: Homeserver,
  asked: Asked & { readonly query: Static<typeof thumbnailQuery> },
  door: Door,
): Promise<HttpResponse> {
  const media = await findMedia(hs, mediaRequest(asked, door), asked.signal)
  const { width, height, method = 'scale', animated = false } = asked.query
  const made = await findThumbnail(hs, media, { width, height, method, animated })
  return serveFile(hs, asked.raw, {
    hash: made.hash,
    contentType: made.content_type,
    filename: `thumbnail.${made.content_type.split('/')[1]}`,
    cache: cacheOf(door),
  })
}

function downloadEndpoint(operation: string, rest: string, door: Door): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'GET',
    ...door.path(rest),
    auth: door.auth,
    rateLimit: 'media',
    params: namedParams,
    query: downloadQuery,
    run: (hs, request) => download(hs, request, door),
  })
}

function thumbnailEndpoint(operation: string, door: Door): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'GET',
    ...door.path('/thumbnail/:serverName/:mediaId'),
    auth: door.auth,
    rateLimit: 'media',
    params: mediaParams,
    query: thumbnailQuery,
    run: (hs, request) => thumbnail(hs, request, door),
  })
}

function configEndpoint(operation: string, door: Door): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'GET',
    ...door.path('/config'),
    // The older path asks for a token too.
    auth: 'user',
    run: async (hs) => ({ 'm.upload.size': hs.config.media.max_upload_size }),
  })
}

const PLAIN = '/download/:serverName/:mediaId'
const NAMED = '/download/:serverName/:mediaId/:fileName'

export const getContentAuthed = downloadEndpoint('getContentAuthed', PLAIN, MEMBERS)
export const getContentOverrideNameAuthed = downloadEndpoint('getContentOverrideNameAuthed', NAMED, MEMBERS)
export const getContentThumbnailAuthed = thumbnailEndpoint('getContentThumbnailAuthed', MEMBERS)
export const getConfigAuthed = configEndpoint('getConfigAuthed', MEMBERS)
export const getContent = downloadEndpoint('getContent', PLAIN, EVERYBODY)
export const getContentOverrideName = downloadEndpoint('getContentOverrideName', NAMED, EVERYBODY)
export const getContentThumbnail = thumbnailEndpoint('getContentThumbnail', EVERYBODY)
export const getConfig = configEndpoint('getConfig', EVERYBODY)
