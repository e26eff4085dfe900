import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { OldBlobs } from '@causeway/store/blobs/blob-store.ts'
import type { JobRecord } from '@causeway/store/tables/jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { JobRefused, type JobKind, type JobWork } from './job.ts'

const KIND = 'move_media'
/** Blobs that are moved at the same time: between stores of which one is far away, most of the time is waiting. */
const AT_ONCE = 4
/** Blobs after which the progress is written. */
const PORTION = 40

interface MoveProgress {
  readonly moved: number
  readonly bytes: number
}

type Deps = Pick<Homeserver, 'blobs' | 'logger'>

/** Begins to move media from where it was to where it is now. Throws `M_INVALID_PARAM` where nothing is to be moved. */
export async function moveMedia({ blobs, jobs }: Pick<Homeserver, 'blobs' | 'jobs'>): Promise<JobRecord> {
  if (blobs.moving === undefined) throw invalidParam('Say where media was before: media.move_from')
  return jobs.start(KIND, 'media')
}

/**
 * Moves every blob of the old store, while both are in use. What was moved is not there any more, so that after an
 * interruption only the rest is left to do.
 */
export function moveMediaKind(deps: () => Deps): JobKind {
  return {
    name: KIND,
    async run(work) {
      const { blobs, logger } = deps()
      if (blobs.moving === undefined)
        throw new JobRefused('media.move_from says no more where media was before')
      const damaged = await moveAll(blobs.moving, work)
      for (const hash of damaged) logger.error('a file of media is damaged, and was not moved', { hash })
      if (damaged.length > 0)
        throw new JobRefused(
          `${damaged.length} files do not have the content that their names say; see the log`,
        )
    },
  }
}

async function moveAll(old: OldBlobs, work: JobWork): Promise<string[]> {
  let progress: MoveProgress = { moved: 0, bytes: 0, ...(work.progress as Partial<MoveProgress>) }
  const damaged: string[] = []
  const blobs = old.list()[Symbol.asyncIterator]()
  const moveNext = async (): Promise<boolean> => {
    const next = await blobs.next()
    if (next.done === true) return false
    const { hash, size } = next.value
    const outcome = await old.move(hash)
    if (outcome === 'damaged') damaged.push(hash)
    if (outcome === 'moved') progress = { moved: progress.moved + 1, bytes: progress.bytes + size }
    return true
  }
  for (;;) {
    let [left, isMore] = [PORTION, true]
    const worker = async (): Promise<void> => {
      while (isMore && left-- > 0) isMore = (await moveNext()) && isMore
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    await work.save({ ...progress })
    if (!isMore) return damaged
  }
}
