import {
  deleteMediaRow,
  deleteThumbnails,
  findMediaRow,
  isBlobUsed,
  listMediaOfUploader,
  listThumbnailRows,
} from '@causeway/store/tables/media.ts'
import type { Homeserver } from '../homeserver.ts'

type DeleteDeps = Pick<Homeserver, 'db' | 'log' | 'blobs' | 'media'>

const PORTION = 500

/**
 * Deletes a piece of media of ours: from now on it is not found, its public links included. The bytes go with
 * it, and its thumbnails, unless another upload has the same content.
 * @returns whether there was such media
 */
export async function deleteMedia(hs: DeleteDeps, mediaId: string): Promise<boolean> {
  const row = await findMediaRow(hs.db, mediaId)
  if (row === undefined) return false
  if (row.hash === '') {
    await hs.log.append({ entries: [], steps: [deleteMediaRow(mediaId)] })
    return true
  }
  await hs.media.blobQueue.serial(row.hash, async () => {
    await hs.log.append({ entries: [], steps: [deleteMediaRow(mediaId)] })
    await deleteUnusedBlob(hs, row.hash)
  })
  return true
}

/** Deletes everything that somebody uploaded from a time on. @returns how much it was */
export async function deleteMediaOf(hs: DeleteDeps, uploader: string, sinceTs = 0): Promise<number> {
  let deleted = 0
  for (;;) {
    const rows = await listMediaOfUploader(hs.db, uploader, sinceTs, PORTION)
    for (const row of rows) if (await deleteMedia(hs, row.media_id)) deleted++
    if (rows.length < PORTION) return deleted
  }
}

/** Deletes a blob, and its thumbnails, unless something refers to it. Only inside the blob's queue. */
export async function deleteUnusedBlob(hs: DeleteDeps, hash: string): Promise<void> {
  if (await isBlobUsed(hs.db, hash)) return
  const thumbnails = await listThumbnailRows(hs.db, hash)
  if (thumbnails.length > 0) await hs.log.append({ entries: [], steps: [deleteThumbnails(hash)] })
  for (const thumbnail of thumbnails) {
    if (!(await isBlobUsed(hs.db, thumbnail.hash))) await hs.blobs.delete(thumbnail.hash)
  }
  await hs.blobs.delete(hash)
}
