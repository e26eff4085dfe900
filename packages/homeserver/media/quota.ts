import { forbidden, type MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { sumUploads } from '@causeway/store/tables/media.ts'
import type { Homeserver } from '../homeserver.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'config'>

const DAY_MS = 24 * 60 * 60_000

/** Bytes that somebody may upload now: of what they may have here at all, and within a day. Infinity without limits. */
export async function findAllowance({ db, clock, config }: Deps, uploader: string): Promise<number> {
  const { max_size_per_user: atAll, max_size_per_user_and_day: aDay } = config.media
  let left = Number.POSITIVE_INFINITY
  if (atAll !== undefined) left = atAll - (await sumUploads(db, uploader, 0))
  if (aDay !== undefined) left = Math.min(left, aDay - (await sumUploads(db, uploader, clock.now() - DAY_MS)))
  return Math.max(0, left)
}

/** https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload (403) */
export function overQuota({ config }: Pick<Homeserver, 'config'>): MatrixError {
  const { max_size_per_user: atAll, max_size_per_user_and_day: aDay } = config.media
  const limits = [
    atAll === undefined ? [] : [`${atAll} bytes in all`],
    aDay === undefined ? [] : [`${aDay} bytes within 24 hours`],
  ].flat()
  return forbidden(`You have reached your quota: everybody may upload ${limits.join(' and ')}`)
}
