import { buffer } from 'node:stream/consumers'
import { formatMxc } from '@causeway/matrix/ids/mxc.ts'
import type { BlobInfo } from '@causeway/store/blobs/blob-store.ts'
import type { NewMediaRow } from '@causeway/store/tables/media.ts'
import { findMediaRow, insertMedia } from '@causeway/store/tables/media.ts'
import { setPreviewImage } from '@causeway/store/tables/url-previews.ts'
import { deleteUnusedBlob } from '../media/delete-media.ts'
import { looksLikeImage, readImageFacts, type ImageFacts } from '../media/render-thumbnail.ts'
import { referenceBlob, type UploadDeps } from '../media/upload.ts'
import type { OutgoingAnswer } from '../outgoing/outgoing.ts'
import type { PreviewImage } from './build-preview.ts'
import { unpack } from './unpack.ts'

/** It is no picture that clients show. */
export class NoPicture extends Error {
  override readonly name = 'NoPicture'
}

export interface KeepImage {
  /** The picture of the preview before this one: kept under the same id when it is the same. */
  readonly earlierMediaId: string
  /** Until when it is kept, in milliseconds since the epoch. */
  readonly forgetTs: number
}

/**
 * Stores the picture in an answer as media of ours, which nobody uploaded.
 * @throws NoPicture, BlobTooLarge, SlotsFull, or why the answer broke off
 */
export async function keepImage(
  hs: UploadDeps,
  answer: OutgoingAnswer,
  { earlierMediaId, forgetTs }: KeepImage,
): Promise<PreviewImage> {
  const blob = await storeBlob(hs, answer)
  try {
    const facts = await hs.media.decoders.run(() => readFacts(hs, blob))
    const earlier = earlierMediaId === '' ? undefined : await findMediaRow(hs.db, earlierMediaId)
    const mediaId = earlier?.hash === blob.hash ? earlierMediaId : hs.random.token(24)
    const steps = mediaId === earlierMediaId ? [] : [insertMedia(rowOf(hs, mediaId, blob, facts))]
    await referenceBlob(hs, blob, [...steps, setPreviewImage(mediaId, forgetTs)])
    return { mxc: formatMxc(hs.serverName, mediaId)!, mediaId, size: blob.size, ...facts }
  } catch (error) {
    await hs.media.blobQueue.serial(blob.hash, () => deleteUnusedBlob(hs, blob.hash))
    throw error
  }
}

async function storeBlob({ blobs, config }: UploadDeps, answer: OutgoingAnswer): Promise<BlobInfo> {
  const body = unpack(answer)
  try {
    return await blobs.put(body as AsyncIterable<Uint8Array>, {
      maxBytes: config.url_previews.max_image_size,
    })
  } finally {
    body.destroy()
  }
}

async function readFacts({ blobs }: UploadDeps, { hash }: BlobInfo): Promise<ImageFacts> {
  const opened = await blobs.open(hash)
  const bytes = opened === undefined ? new Uint8Array() : await buffer(opened.stream)
  const facts = looksLikeImage(bytes.subarray(0, 32)) ? await readImageFacts(bytes) : undefined
  if (facts === undefined) throw new NoPicture('What the page calls its picture is none')
  return facts
}

function rowOf(hs: UploadDeps, mediaId: string, { hash, size }: BlobInfo, facts: ImageFacts): NewMediaRow {
  return {
    media_id: mediaId,
    uploader: '',
    created_ts: hs.clock.now(),
    hash,
    size,
    content_type: facts.contentType,
    filename: '',
    expires_ts: 0,
    is_open: hs.config.media.unauthenticated_downloads ? 1 : 0,
  }
}
