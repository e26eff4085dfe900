import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const JOBS: TableShape = {
  name: 'jobs',
  columns: [
    { name: 'id', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'subject', type: 'text' },
    { name: 'input', type: 'text' },
    { name: 'progress', type: 'text' },
    { name: 'error', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'updated_ts', type: 'int' },
    { name: 'finished_ts', type: 'int' },
  ],
}

/** Work that takes many writes, and how far it has got. */
export interface JobRecord {
  readonly id: string
  readonly kind: string
  /** A room id, a user id, or both with a space between. */
  readonly subject: string
  readonly input: JsonObject
  readonly progress: JsonObject
  /** Why it was given up; empty while it is done, and when it was. */
  readonly error: string
  readonly createdTs: number
  readonly updatedTs: number
  /** Milliseconds; 0: still to be done. */
  readonly finishedTs: number
}

const COLUMNS = JOBS.columns.map(({ name }) => name).join(', ')

function toJob(row: Row): JobRecord {
  return {
    id: String(row['id']),
    kind: String(row['kind']),
    subject: String(row['subject']),
    input: JSON.parse(String(row['input'])) as JsonObject,
    progress: JSON.parse(String(row['progress'])) as JsonObject,
    error: String(row['error']),
    createdTs: Number(row['created_ts']),
    updatedTs: Number(row['updated_ts']),
    finishedTs: Number(row['finished_ts']),
  }
}

export async function findJob(db: Database, id: string): Promise<JobRecord | undefined> {
  return (await db.query(`SELECT ${COLUMNS} FROM jobs WHERE id = ?`, [id])).map(toJob)[0]
}

/** The job of a kind about something that is still to be done, if there is one. */
export async function findOpenJob(
  db: Database,
  kind: string,
  subject: string,
): Promise<JobRecord | undefined> {
  const sql = `SELECT ${COLUMNS} FROM jobs WHERE kind = ? AND subject = ? AND finished_ts = 0`
  return (await db.query(sql, [kind, subject])).map(toJob)[0]
}

/** Jobs of a kind about something, newest first, those that ended too as long as they are remembered. */
export async function listJobsAbout(db: Database, kind: string, subject: string): Promise<JobRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM jobs WHERE kind = ? AND subject = ? ORDER BY created_ts DESC`
  return (await db.query(sql, [kind, subject])).map(toJob)
}

/** Jobs that are still to be done, oldest first. */
export async function listOpenJobs(db: Database, limit: number): Promise<JobRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM jobs WHERE finished_ts = 0 ORDER BY created_ts LIMIT ?`
  return (await db.query(sql, [limit])).map(toJob)
}

/** Jobs that are done or given up, newest first. */
export async function listFinishedJobs(db: Database, limit: number): Promise<JobRecord[]> {
  const sql = `SELECT ${COLUMNS} FROM jobs WHERE finished_ts > 0 ORDER BY finished_ts DESC LIMIT ?`
  return (await db.query(sql, [limit])).map(toJob)
}

/** Refused (`conflict`) when a job of this kind about the same is still to be done. */
export function insertJob(job: Pick<JobRecord, 'id' | 'kind' | 'subject' | 'input' | 'createdTs'>): Step {
  const { id, kind, subject, input, createdTs } = job
  return { into: JOBS, values: [id, kind, subject, JSON.stringify(input), '{}', '', createdTs, createdTs, 0] }
}

/** Refused (`precondition`) when the job is not to be done any more. */
export function saveJobProgress(id: string, progress: JsonObject, now: number): Statement {
  return {
    sql: 'UPDATE jobs SET progress = ?, updated_ts = ? WHERE id = ? AND finished_ts = 0',
    params: [JSON.stringify(progress), now, id],
    expectRows: 1,
  }
}

/** @param error why it was given up, or empty */
export function finishJob(id: string, error: string, now: number): Statement {
  return {
    sql: 'UPDATE jobs SET error = ?, updated_ts = ?, finished_ts = ? WHERE id = ? AND finished_ts = 0',
    params: [error, now, now, id],
  }
}

/** Forgets jobs that ended before a time. */
export function deleteJobsBefore(before: number): Statement {
  return { sql: 'DELETE FROM jobs WHERE finished_ts > 0 AND finished_ts < ?', params: [before] }
}
