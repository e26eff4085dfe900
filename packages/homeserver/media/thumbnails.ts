import { buffer } from 'node:stream/consumers'
import { MatrixError, limitExceeded, notFound, tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findThumbnailRow,
  insertThumbnail,
  isBlobUsed,
  type ThumbnailRow,
} from '@causeway/store/tables/media.ts'
import type { Homeserver } from '../homeserver.ts'
import type { FoundMedia } from './find-media.ts'
import { looksLikeImage, renderThumbnail } from './render-thumbnail.ts'
import { SlotsFull } from '@causeway/store/cache/slots.ts'
import { chooseThumbnail, type ThumbnailSpec, type ThumbnailWish } from './thumbnail-sizes.ts'

type ThumbnailDeps = Pick<Homeserver, 'config' | 'db' | 'log' | 'blobs' | 'media'>

/** Files larger than this are not read into memory to be decoded. */
const MAX_SOURCE_BYTES = 40 * 1024 * 1024
const HEAD_BYTES = 32
const RETRY_MS = 5_000

/**
 * The thumbnail of a piece of media that fits a wish: made once, then kept. Throws `M_UNKNOWN` (400) where there
 * can be none, `M_TOO_LARGE`, `M_LIMIT_EXCEEDED` when too many are waited for.
 */
export async function findThumbnail(
  hs: ThumbnailDeps,
  media: FoundMedia,
  wish: ThumbnailWish,
): Promise<ThumbnailRow> {
  const spec = chooseThumbnail(wish)
  const held = await findHeld(hs, media, spec)
  if (held !== undefined) return held
  return hs.media.thumbnails.run(
    `${media.hash} ${spec.variant}`,
    // Looked at once more: one that was being made may have been kept between the look and now.
    async () => (await findHeld(hs, media, spec)) ?? (await makeThumbnail(hs, media, spec)),
  )
}

/** A row whose bytes are there. */
async function findHeld(
  hs: ThumbnailDeps,
  media: FoundMedia,
  spec: ThumbnailSpec,
): Promise<ThumbnailRow | undefined> {
  const row = await findThumbnailRow(hs.db, media.hash, spec.variant)
  return row !== undefined && (await hs.blobs.stat(row.hash)) !== undefined ? row : undefined
}

async function makeThumbnail(
  hs: ThumbnailDeps,
  media: FoundMedia,
  spec: ThumbnailSpec,
): Promise<ThumbnailRow> {
  if (media.size > MAX_SOURCE_BYTES) throw tooLarge('This content is too large for thumbnails')
  await requireImage(hs, media.hash)
  const rendered = await inSlot(hs, async () => {
    const bytes = await readBlob(hs, media.hash)
    return renderThumbnail(bytes, spec, { maxPixels: hs.config.media.max_image_pixels })
  })
  const blob = await hs.blobs.put(rendered.bytes, { maxBytes: rendered.bytes.length })
  const row: ThumbnailRow = {
    source_hash: media.hash,
    variant: spec.variant,
    hash: blob.hash,
    size: blob.size,
    content_type: rendered.contentType,
  }
  await hs.media.blobQueue.serial(media.hash, async () => {
    // The original may have been deleted while its thumbnail was made; then nothing of it is kept.
    if (await isBlobUsed(hs.db, media.hash))
      await hs.log.append({ entries: [], steps: [insertThumbnail(row)] })
    else await hs.blobs.delete(blob.hash)
  })
  return row
}

async function inSlot<T>(hs: ThumbnailDeps, fn: () => Promise<T>): Promise<T> {
  try {
    return await hs.media.decoders.run(fn)
  } catch (error) {
    if (error instanceof SlotsFull) throw limitExceeded(RETRY_MS)
    throw error
  }
}

/** A glance at the first bytes, before a large file that is no picture is read for nothing. */
async function requireImage(hs: ThumbnailDeps, hash: string): Promise<void> {
  const stat = await hs.blobs.stat(hash)
  if (stat === undefined) throw notFound('The content of this media is missing')
  const opened = await hs.blobs.open(hash, { start: 0, end: Math.min(HEAD_BYTES, stat.size) })
  if (opened !== undefined && looksLikeImage(await buffer(opened.stream))) return
  throw new MatrixError('M_UNKNOWN', 'No thumbnail can be made of this content', { status: 400 })
}

async function readBlob(hs: ThumbnailDeps, hash: string): Promise<Uint8Array> {
  const opened = await hs.blobs.open(hash)
  if (opened === undefined) throw notFound('The content of this media is missing')
  return buffer(opened.stream)
}
