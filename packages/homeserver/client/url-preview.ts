// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url
import { Type } from 'typebox'
import { defineEndpoint, RawJson, type AnyEndpoint } from '../http/endpoint.ts'
import { findPreview } from '../previews/find-preview.ts'
import { readLanguages } from '../previews/preview-language.ts'
import { mediaPath } from './media-upload.ts'

function previewEndpoint(operation: string, where: { path: string; also: readonly string[] }): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'GET',
    ...where,
    auth: 'user',
    rateLimit: 'preview',
    // `ts` decides nothing: one preview of a page is kept, the newest.
    query: Type.Object({ url: Type.String(), ts: Type.Optional(Type.Integer()) }),
    run: async (hs, { query, raw }) =>
      new RawJson(await findPreview(hs, query.url, readLanguages(raw.headers['accept-language']))),
  })
}

export const getUrlPreviewAuthed = previewEndpoint('getUrlPreviewAuthed', {
  path: '/_matrix/client/v1/media/preview_url',
  also: ['/_matrix/client/unstable/org.matrix.msc3916/media/preview_url'],
})

/** The older path asks for a token too. */
export const getUrlPreview = previewEndpoint('getUrlPreview', mediaPath('/preview_url'))

/** Not there where the operator wants no previews. */
export const previewRoutes: readonly AnyEndpoint[] = [getUrlPreviewAuthed, getUrlPreview]
