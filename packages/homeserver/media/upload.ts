import type { Mxc, UserId } from '@causeway/matrix/ids/ids.ts'
import { formatMxc } from '@causeway/matrix/ids/mxc.ts'
import {
  MatrixError,
  forbidden,
  limitExceeded,
  notFound,
  tooLarge,
} from '@causeway/matrix/errors/matrix-error.ts'
import { BlobTooLarge, type BlobInfo, type BlobSource } from '@causeway/store/blobs/blob-store.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  countPendingMedia,
  deleteExpiredMedia,
  fillMedia,
  findMediaRow,
  insertMedia,
} from '@causeway/store/tables/media.ts'
import { isQuarantined } from '@causeway/store/tables/quarantined-blobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { deleteUnusedBlob } from './delete-media.ts'
import { QuarantinedContent } from './quarantine.ts'
import { findAllowance, overQuota } from './quota.ts'

/** The part of the server that uploads need. */
export type UploadDeps = Pick<
  Homeserver,
  'serverName' | 'config' | 'db' | 'log' | 'blobs' | 'clock' | 'random' | 'media'
>

export interface Upload {
  readonly source: BlobSource
  /** As the uploader names it, checked by `cleanContentType`. */
  readonly contentType: string
  /** Empty for none. */
  readonly filename: string
}

/** How long an id made in advance waits for its content, in milliseconds. */
const PENDING_MS = 24 * 60 * 60 * 1000
/** Ids that one person may have made and not filled yet. */
const MAX_PENDING = 50
const RETRY_PENDING_MS = 60_000
const MAX_FILENAME = 255

/** A header value that can be sent back as it is; `application/octet-stream` for any other. */
export function cleanContentType(text: string | undefined): string {
  return text !== undefined && /^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(text)
    ? text
    : 'application/octet-stream'
}

/** A name without control characters, of a length that a header can hold. */
export function cleanFilename(text: string | undefined): string {
  if (text === undefined) return ''
  return text
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, '')
    .slice(0, MAX_FILENAME)
    .toWellFormed()
}

/**
 * Stores an upload under a new id. It is durable when this resolves.
 * Throws `M_TOO_LARGE`; `M_FORBIDDEN` over the quota and for content that is quarantined; `M_UNKNOWN` (400) when the
 * sender broke off.
 */
export async function storeUpload(hs: UploadDeps, uploader: UserId, upload: Upload): Promise<Mxc> {
  const mediaId = hs.random.token(24)
  const blob = await storeBlob(hs, uploader, upload.source)
  await keepUpload(hs, uploader, blob, [
    insertMedia({
      media_id: mediaId,
      uploader,
      created_ts: hs.clock.now(),
      ...contentOf(blob, upload),
      expires_ts: 0,
      is_open: openFlag(hs),
    }),
  ])
  return formatMxc(hs.serverName, mediaId)!
}

/**
 * Makes an id whose content comes later.
 * @returns the id and until when the content may come, in milliseconds since the epoch
 */
export async function createPending(
  hs: UploadDeps,
  uploader: UserId,
): Promise<{ mxc: Mxc; expiresTs: number }> {
  const now = hs.clock.now()
  if ((await countPendingMedia(hs.db, uploader, now)) >= MAX_PENDING) throw limitExceeded(RETRY_PENDING_MS)
  const mediaId = hs.random.token(24)
  const expiresTs = now + PENDING_MS
  const row = {
    media_id: mediaId,
    uploader,
    created_ts: now,
    hash: '',
    size: 0,
    content_type: '',
    filename: '',
  }
  await hs.log.append({
    entries: [],
    steps: [
      deleteExpiredMedia(uploader, now),
      insertMedia({ ...row, expires_ts: expiresTs, is_open: openFlag(hs) }),
    ],
  })
  return { mxc: formatMxc(hs.serverName, mediaId)!, expiresTs }
}

/**
 * Fills an id that was made in advance, and wakes those who wait for it.
 * Throws `M_NOT_FOUND` for an id nobody made (in time), `M_FORBIDDEN` for another's, `M_CANNOT_OVERWRITE_MEDIA`.
 */
export async function fillPending(
  hs: UploadDeps,
  uploader: UserId,
  mediaId: string,
  upload: Upload,
): Promise<void> {
  const row = await findMediaRow(hs.db, mediaId)
  const isExpired = row?.hash === '' && row.expires_ts <= hs.clock.now()
  if (row === undefined || isExpired) throw notFound('This id was not made by this server, or too long ago')
  if (row.uploader !== uploader) throw forbidden('Only who made this id may upload to it')
  if (row.hash !== '') throw hasContent()
  const blob = await storeBlob(hs, uploader, upload.source)
  const content = { ...contentOf(blob, upload), created_ts: hs.clock.now() }
  const filled = await keepUpload(hs, uploader, blob, [fillMedia(mediaId, content)])
  if (!filled) throw hasContent()
  hs.media.waiters.wake(mediaId)
}

function hasContent(): MatrixError {
  return new MatrixError('M_CANNOT_OVERWRITE_MEDIA', 'This id has content already, and content never changes')
}

function openFlag({ config }: UploadDeps): number {
  return config.media.unauthenticated_downloads ? 1 : 0
}

function contentOf({ hash, size }: BlobInfo, { contentType, filename }: Upload) {
  return { hash, size, content_type: contentType, filename }
}

async function storeBlob(hs: UploadDeps, uploader: UserId, source: BlobSource): Promise<BlobInfo> {
  const { max_upload_size: largest } = hs.config.media
  const allowance = await findAllowance(hs, uploader)
  if (allowance === 0) throw overQuota(hs)
  try {
    return await hs.blobs.put(source, { maxBytes: Math.min(largest, allowance) })
  } catch (error) {
    if (error instanceof BlobTooLarge)
      throw allowance < largest ? overQuota(hs) : tooLarge(`Uploads may have at most ${largest} bytes`)
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
    throw new MatrixError('M_UNKNOWN', 'The upload broke off', { status: 400, cause: error })
  }
}

/** Writes the row of an upload. Uploads that came at the same time are counted one after another. */
async function keepUpload(
  hs: UploadDeps,
  uploader: UserId,
  blob: BlobInfo,
  steps: readonly Step[],
): Promise<boolean> {
  let kept = false
  try {
    kept = await hs.media.uploaders.serial(uploader, async () => {
      if (blob.size > (await findAllowance(hs, uploader))) throw overQuota(hs)
      return referenceBlob(hs, blob, steps)
    })
    return kept
  } catch (error) {
    if (!(error instanceof QuarantinedContent)) throw error
    throw forbidden('This content may not be kept on this server')
  } finally {
    if (!kept) await hs.media.blobQueue.serial(blob.hash, () => deleteUnusedBlob(hs, blob.hash))
  }
}

/**
 * Writes a row that refers to a blob, unless the blob was deleted between its arrival and now.
 * @throws QuarantinedContent
 */
export async function referenceBlob(
  hs: Pick<UploadDeps, 'blobs' | 'db' | 'log' | 'media'>,
  { hash }: BlobInfo,
  steps: readonly Step[],
): Promise<boolean> {
  return hs.media.blobQueue.serial(hash, async () => {
    if (await isQuarantined(hs.db, hash)) throw new QuarantinedContent('The content is quarantined')
    if ((await hs.blobs.stat(hash)) === undefined) {
      throw new MatrixError('M_UNKNOWN', 'The same content was deleted at this moment; upload it again')
    }
    return (await hs.log.append({ entries: [], steps })).ok
  })
}
