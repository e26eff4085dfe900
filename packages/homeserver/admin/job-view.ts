import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { JobRecord } from '@causeway/store/tables/jobs.ts'

/** A time as people read it, and programs too. */
export const formatTime = (ts: number): string => new Date(ts).toISOString()

function stateOf({ finishedTs, error, progress }: JobRecord): string {
  if (finishedTs === 0) return Object.keys(progress).length === 0 ? 'waiting' : 'under way'
  return error === '' ? 'done' : 'given up'
}

/** A job as commands show it. Who waits for it looks at `finished`. */
export function viewJob(job: JobRecord): JsonObject {
  return {
    job: job.id,
    kind: job.kind,
    about: job.subject,
    state: stateOf(job),
    progress: job.progress,
    begun: formatTime(job.createdTs),
    last_written: formatTime(job.updatedTs),
    finished: job.finishedTs === 0 ? null : formatTime(job.finishedTs),
    ...(job.error === '' ? {} : { reason: job.error }),
  }
}
