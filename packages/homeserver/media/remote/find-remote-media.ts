import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, limitExceeded, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { BlobTooLarge, type BlobInfo } from '@causeway/store/blobs/blob-store.ts'
import {
  findRemoteMediaRow,
  setRemoteMedia,
  touchRemoteMedia,
  type RemoteMediaRow,
} from '@causeway/store/tables/remote-media.ts'
import { FederationError } from '../../federation/federation-client.ts'
import { toClientError } from '../../federation/to-client-error.ts'
import type { Homeserver } from '../../homeserver.ts'
import { SlotsFull } from '@causeway/store/cache/slots.ts'
import { deleteUnusedBlob } from '../delete-media.ts'
import { QuarantinedContent } from '../quarantine.ts'
import { referenceBlob } from '../upload.ts'
import { openRemoteMedia, type RemoteContent } from './fetch-media.ts'
import { MultipartBroken } from './multipart-reader.ts'

export type RemoteMediaDeps = Pick<
  Homeserver,
  'config' | 'db' | 'log' | 'blobs' | 'clock' | 'media' | 'federation'
>

export interface RemoteMediaRequest {
  readonly serverName: ServerName
  readonly mediaId: string
  /** How long its server may wait for content that is still to come. */
  readonly waitMs: number
  /** Only what is served without an account. */
  readonly onlyOpen: boolean
  /** Whether it may be fetched; false: only what is here. */
  readonly mayFetch: boolean
}

/** A failure is believed for so long, and is not asked about again. */
const FAILURE_MS = 20_000
const HOUR_MS = 60 * 60_000
const RETRY_MS = 5_000
const BAD_GATEWAY = 502

/**
 * Media of another server: what is here, or fetched now and kept. Throws `M_NOT_FOUND`, `M_TOO_LARGE` (502),
 * `M_NOT_YET_UPLOADED` (504), `M_UNKNOWN` (502) where its server does not answer; a moment later the same again.
 */
export async function findRemoteMedia(
  hs: RemoteMediaDeps,
  request: RemoteMediaRequest,
): Promise<RemoteMediaRow> {
  const { serverName, mediaId, onlyOpen, mayFetch } = request
  const held = await findHeld(hs, serverName, mediaId)
  if (held !== undefined && (!onlyOpen || held.is_open === 1)) return held
  const isBarred = !mayFetch || held !== undefined || (onlyOpen && !hs.config.media.unauthenticated_downloads)
  if (isBarred) throw notFound(`There is no media mxc://${serverName}/${mediaId} here`)
  const key = `${serverName}/${mediaId}`
  const failure = hs.media.remote.failures.get(key)
  if (failure !== undefined && failure.until > hs.clock.monotonic()) throw failure.error
  return hs.media.remote.flights.run(key, async () => {
    try {
      // Looked at once more: a fetch that was under way may have ended between the look and now.
      const fetched = await findHeld(hs, serverName, mediaId)
      return fetched ?? (await hs.media.remote.slots.run(() => fetchAndKeep(hs, request)))
    } catch (error) {
      throw remember(hs, key, error)
    }
  })
}

/** A row whose bytes are there; noted as used once an hour. */
async function findHeld(
  hs: RemoteMediaDeps,
  serverName: string,
  mediaId: string,
): Promise<RemoteMediaRow | undefined> {
  const row = await findRemoteMediaRow(hs.db, serverName, mediaId)
  if (row === undefined || (await hs.blobs.stat(row.hash)) === undefined) return undefined
  const now = hs.clock.now()
  if (now - row.used_ts > HOUR_MS) {
    await hs.db.commit({ entries: [], steps: [touchRemoteMedia(serverName, mediaId, now)] })
  }
  return row
}

async function fetchAndKeep(
  hs: RemoteMediaDeps,
  { serverName, mediaId, waitMs }: RemoteMediaRequest,
): Promise<RemoteMediaRow> {
  const content = await openRemoteMedia(hs.federation, serverName, mediaId, waitMs)
  const blob = await store(hs, content)
  const now = hs.clock.now()
  const row: RemoteMediaRow = {
    server_name: serverName,
    media_id: mediaId,
    hash: blob.hash,
    size: blob.size,
    content_type: content.contentType,
    filename: content.filename,
    fetched_ts: now,
    used_ts: now,
    is_open: hs.config.media.unauthenticated_downloads ? 1 : 0,
  }
  try {
    await referenceBlob(hs, blob, [setRemoteMedia(row)])
    return row
  } catch (error) {
    await hs.media.blobQueue.serial(blob.hash, () => deleteUnusedBlob(hs, blob.hash))
    throw error
  }
}

async function store(
  { blobs, config }: RemoteMediaDeps,
  { source, close }: RemoteContent,
): Promise<BlobInfo> {
  try {
    return await blobs.put(source, { maxBytes: config.media.max_upload_size })
  } finally {
    close()
  }
}

/** What clients are told, now and for a moment; faults of ours are no failures of theirs. */
function remember(hs: RemoteMediaDeps, key: string, error: unknown): unknown {
  if (error instanceof SlotsFull) return limitExceeded(RETRY_MS)
  const told = errorFor(error)
  if (told === undefined) return error
  hs.media.remote.failures.set(key, { error: told, until: hs.clock.monotonic() + FAILURE_MS })
  return told
}

function errorFor(error: unknown): MatrixError | undefined {
  if (error instanceof QuarantinedContent) return notFound('This media is not given out by this server')
  if (error instanceof BlobTooLarge) return tooLargeElsewhere()
  if (error instanceof MultipartBroken || isConnectionError(error)) {
    return new MatrixError('M_UNKNOWN', 'The server of this media did not send the whole of it', {
      status: BAD_GATEWAY,
    })
  }
  if (!(error instanceof FederationError)) return undefined
  const { failure } = error
  if (failure.kind === 'refused' && failure.errcode === 'M_TOO_LARGE') return tooLargeElsewhere()
  if (failure.kind === 'refused' && failure.errcode === 'M_NOT_YET_UPLOADED') {
    return new MatrixError('M_NOT_YET_UPLOADED', 'The content of this media has not been uploaded yet')
  }
  return toClientError(error)
}

function tooLargeElsewhere(): MatrixError {
  return new MatrixError('M_TOO_LARGE', 'This media is larger than this server fetches', {
    status: BAD_GATEWAY,
  })
}

function isConnectionError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
