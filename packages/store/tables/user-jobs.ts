import type { Database, Statement, Step, TableShape } from '../db/database.ts'

/**
 * `directory`: show the new profile to those who look for somebody. `displayname`, `avatar_url`: show the new value
 * in every room. `leave`: leave every room.
 */
export type UserJobName = 'directory' | 'displayname' | 'avatar_url' | 'leave'

export const USER_JOBS: TableShape = {
  name: 'user_jobs',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'job', type: 'text' },
    { name: 'version', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'job'], action: 'replace' },
}

export interface UserJob {
  readonly job: UserJobName
  /** Tells a job from a later one of the same name. */
  readonly version: string
}

/** Remembers work to be done, in the place of older work of the same name. */
export function putUserJob(userId: string, job: UserJobName, version: string): Step {
  return { into: USER_JOBS, values: [userId, job, version] }
}

/** What is left to be done for a user. */
export async function listUserJobs(db: Database, userId: string): Promise<UserJob[]> {
  // What is done at once comes before what is done in every room.
  const sql = `SELECT job, version FROM user_jobs WHERE user_id = ?
    ORDER BY CASE job WHEN 'directory' THEN 0 ELSE 1 END, job`
  const rows = await db.query<{ job: string; version: string }>(sql, [userId])
  return rows.map(({ job, version }) => ({ job: job as UserJobName, version }))
}

/** Users with work left to be done, from behind `after`, at most `limit`. */
export async function listUsersWithJobs(db: Database, after: string, limit: number): Promise<string[]> {
  const sql = 'SELECT DISTINCT user_id FROM user_jobs WHERE user_id > ? ORDER BY user_id LIMIT ?'
  const rows = await db.query<{ user_id: string }>(sql, [after, limit])
  return rows.map((row) => row.user_id)
}

/** A job is done; one that was asked for meanwhile stays. */
export function deleteUserJob(userId: string, { job, version }: UserJob): Statement {
  return {
    sql: 'DELETE FROM user_jobs WHERE user_id = ? AND job = ? AND version = ?',
    params: [userId, job, version],
  }
}

/** An account that ends shows nothing any more. */
export function deleteUserJobs(userId: string): Statement {
  return { sql: 'DELETE FROM user_jobs WHERE user_id = ?', params: [userId] }
}
