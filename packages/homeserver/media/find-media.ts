import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findMediaRow, type MediaRow } from '@causeway/store/tables/media.ts'
import type { Homeserver } from '../homeserver.ts'

export interface MediaRequest {
  readonly serverName: string
  readonly mediaId: string
  /** How long to wait for content that is still to come, in milliseconds. */
  readonly timeoutMs: number | undefined
  /** Only what is served without an account. */
  readonly onlyOpen: boolean
}

const DEFAULT_TIMEOUT_MS = 20_000
const MAX_TIMEOUT_MS = 60_000

/**
 * Media of ours, waiting for its content if need be. Throws `M_NOT_FOUND`, and `M_NOT_YET_UPLOADED` (504) when
 * the content does not come in time. Media of other servers is `M_NOT_FOUND`: there is no federation yet.
 */
export async function findMedia(
  hs: Pick<Homeserver, 'serverName' | 'db' | 'clock' | 'media'>,
  { serverName, mediaId, timeoutMs, onlyOpen }: MediaRequest,
  signal: AbortSignal,
): Promise<MediaRow> {
  const read = async (): Promise<MediaRow> => {
    const row = serverName === hs.serverName ? await findMediaRow(hs.db, mediaId) : undefined
    const isExpired = row?.hash === '' && row.expires_ts <= hs.clock.now()
    if (row === undefined || isExpired || (onlyOpen && row.is_open !== 1 && row.hash !== '')) {
      throw notFound(`There is no media mxc://${serverName}/${mediaId} here`)
    }
    return row
  }
  const row = await read()
  if (row.hash !== '') return row
  await hs.media.waiters.wait(mediaId, Math.min(timeoutMs ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS), signal)
  const later = await read()
  if (later.hash !== '') return later
  throw new MatrixError('M_NOT_YET_UPLOADED', 'The content of this media has not been uploaded yet')
}
