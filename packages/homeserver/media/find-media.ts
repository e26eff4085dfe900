import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { findMediaRow, type MediaRow } from '@causeway/store/tables/media.ts'
import { isQuarantined } from '@causeway/store/tables/quarantined-blobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRemoteMedia, type RemoteMediaDeps } from './remote/find-remote-media.ts'

export interface MediaRequest {
  readonly serverName: ServerName
  readonly mediaId: string
  /** How long to wait for content that is still to come, in milliseconds. */
  readonly timeoutMs: number | undefined
  /** Only what is served without an account. */
  readonly onlyOpen: boolean
  /** Whether media of other servers may be fetched; default false: only what is here. */
  readonly mayFetch?: boolean
}

/** Content with what is said of it. */
export type FoundMedia = Pick<MediaRow, 'hash' | 'size' | 'content_type' | 'filename'>

const DEFAULT_TIMEOUT_MS = 20_000
const MAX_TIMEOUT_MS = 60_000

/**
 * Media of ours, or of another server; content that is still to come is waited for. Throws `M_NOT_FOUND` (for what
 * is quarantined as well), and
 * `M_NOT_YET_UPLOADED` (504) when the content does not come in time; see `findRemoteMedia` for more.
 */
export async function findMedia(
  hs: RemoteMediaDeps & Pick<Homeserver, 'serverName'>,
  request: MediaRequest,
  signal: AbortSignal,
): Promise<FoundMedia> {
  const { serverName, mediaId, onlyOpen, mayFetch = false } = request
  const waitMs = Math.min(request.timeoutMs ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS)
  const found =
    serverName === hs.serverName
      ? await findOwnMedia(hs, { mediaId, onlyOpen, waitMs }, signal)
      : await findRemoteMedia(hs, { serverName, mediaId, onlyOpen, mayFetch, waitMs })
  if (await isQuarantined(hs.db, found.hash)) throw noSuchMedia(serverName, mediaId)
  return found
}

function noSuchMedia(serverName: string, mediaId: string): MatrixError {
  return notFound(`There is no media mxc://${serverName}/${mediaId} here`)
}

async function findOwnMedia(
  hs: Pick<Homeserver, 'serverName' | 'db' | 'clock' | 'media'>,
  { mediaId, onlyOpen, waitMs }: { mediaId: string; onlyOpen: boolean; waitMs: number },
  signal: AbortSignal,
): Promise<MediaRow> {
  const read = async (): Promise<MediaRow> => {
    const row = await findMediaRow(hs.db, mediaId)
    const isExpired = row?.hash === '' && row.expires_ts <= hs.clock.now()
    if (row === undefined || isExpired || (onlyOpen && row.is_open !== 1 && row.hash !== '')) {
      throw noSuchMedia(hs.serverName, mediaId)
    }
    return row
  }
  const row = await read()
  if (row.hash !== '') return row
  const looked = new AbortController()
  const waiting = hs.media.waiters.wait(mediaId, waitMs, AbortSignal.any([signal, looked.signal]))
  try {
    // Looked at once more after the place was taken: the content may have come in between, and wakes nobody twice.
    const now = await read()
    if (now.hash !== '') return now
    await waiting
  } finally {
    looked.abort()
  }
  const later = await read()
  if (later.hash !== '') return later
  throw new MatrixError('M_NOT_YET_UPLOADED', 'The content of this media has not been uploaded yet')
}
