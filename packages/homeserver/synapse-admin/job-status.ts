import type { JobRecord } from '@causeway/store/tables/jobs.ts'

/** A job in Synapse's words. */
export type JobStatus = 'scheduled' | 'active' | 'complete' | 'failed'

export function statusOf({ finishedTs, error, progress }: JobRecord): JobStatus {
  if (finishedTs === 0) return Object.keys(progress).length === 0 ? 'scheduled' : 'active'
  return error === '' ? 'complete' : 'failed'
}
