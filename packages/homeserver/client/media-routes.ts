import type { AnyEndpoint } from '../http/endpoint.ts'
import {
  getConfig,
  getConfigAuthed,
  getContent,
  getContentAuthed,
  getContentOverrideName,
  getContentOverrideNameAuthed,
  getContentThumbnail,
  getContentThumbnailAuthed,
} from './media-download.ts'
import { createContent, uploadContent, uploadContentToMXC } from './media-upload.ts'
import { getPublicMedia } from './public-media.ts'
import { previewRoutes } from './url-preview.ts'

/** Files: sending and fetching them. */
export const mediaRoutes: readonly AnyEndpoint[] = [
  uploadContent,
  createContent,
  uploadContentToMXC,
  getContentAuthed,
  getContentOverrideNameAuthed,
  getContentThumbnailAuthed,
  getConfigAuthed,
  getContent,
  getContentOverrideName,
  getContentThumbnail,
  getConfig,
  getPublicMedia,
  ...previewRoutes,
]
