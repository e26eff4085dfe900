// https://element-hq.github.io/synapse/latest/admin_api/scheduled_tasks.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listFinishedJobs, listOpenJobs, type JobRecord } from '@causeway/store/tables/jobs.ts'
import { defineAdminRequest } from './admin-request.ts'
import { statusOf } from './job-status.ts'
import { MAX_PAGE, oneOf } from './pages.ts'

const status = Type.Optional(oneOf(['scheduled', 'active', 'complete', 'failed'] as const))
const text = Type.Optional(Type.String({ maxLength: 1_000 }))

function viewJob(job: JobRecord): JsonObject {
  return {
    id: job.id,
    action: job.kind,
    status: statusOf(job),
    timestamp_ms: job.updatedTs,
    resource_id: job.subject,
    result: job.progress,
    error: job.error === '' ? null : job.error,
  }
}

/** Long work: what is to be done, and what has ended of late. */
export const synapseScheduledTasks = defineAdminRequest({
  operation: 'synapseScheduledTasks',
  method: 'GET',
  path: '/v1/scheduled_tasks',
  query: Type.Object({
    action_name: text,
    resource_id: text,
    status,
    job_status: status,
    max_timestamp: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  run: async (hs, { query }) => {
    const [open, ended] = await Promise.all([
      listOpenJobs(hs.db, MAX_PAGE),
      listFinishedJobs(hs.db, MAX_PAGE),
    ])
    const { action_name: action, resource_id: resource, max_timestamp: latest } = query
    const wanted = query.status ?? query.job_status
    const found = [...open, ...ended].filter(
      (job) =>
        (action === undefined || job.kind === action) &&
        (resource === undefined || job.subject === resource) &&
        (wanted === undefined || statusOf(job) === wanted) &&
        (latest === undefined || job.updatedTs <= latest),
    )
    return { scheduled_tasks: found.map(viewJob) }
  },
})
