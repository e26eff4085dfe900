import type { Database, Row, Statement } from '../db/database.ts'
import { containing } from './like.ts'
import { readPage, type Page, type PageOf } from './page.ts'

export type ReportKind = 'event' | 'room' | 'user'

/** What somebody has reported to the operators. */
export interface NewReport {
  report_id: string
  kind: ReportKind
  reporter: string
  /** This and the next two are empty where the report is about none. */
  room_id: string
  event_id: string
  /** The user that was reported, or the sender of the event. */
  user_id: string
  reason: string
  created_ts: number
  /** 0 while nobody has dealt with it. */
  closed_ts: number
}

export type ReportRow = Row &
  NewReport & {
    /** 1, 2, … in the order in which they came. */
    number: number
  }

const COLUMNS = 'report_id, kind, reporter, room_id, event_id, user_id, reason, created_ts, closed_ts, number'

/** It gets the next number. */
export function insertReport(report: NewReport): Statement {
  return {
    sql: `INSERT INTO reports (${COLUMNS})
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM reports))`,
    params: [
      report.report_id,
      report.kind,
      report.reporter,
      report.room_id,
      report.event_id,
      report.user_id,
      report.reason,
      report.created_ts,
      report.closed_ts,
    ],
    expectRows: 1,
  }
}

/** The newest first; those that are open, or those that were dealt with. */
export function listReports(
  db: Database,
  { isOpen, limit }: { readonly isOpen: boolean; readonly limit: number },
): Promise<ReportRow[]> {
  return isOpen
    ? db.query<ReportRow>(
        `SELECT ${COLUMNS} FROM reports WHERE closed_ts = 0 ORDER BY created_ts DESC, report_id LIMIT ?`,
        [limit],
      )
    : db.query<ReportRow>(
        `SELECT ${COLUMNS} FROM reports WHERE closed_ts > 0 ORDER BY closed_ts DESC, report_id LIMIT ?`,
        [limit],
      )
}

export async function findReport(db: Database, reportId: string): Promise<ReportRow | undefined> {
  const rows = await db.query<ReportRow>(`SELECT ${COLUMNS} FROM reports WHERE report_id = ?`, [reportId])
  return rows[0]
}

/** Whether somebody has an open report about just that already. */
export async function hasOpenReport(
  db: Database,
  { reporter, room_id: roomId, event_id: eventId, user_id: userId }: NewReport,
): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 AS one FROM reports WHERE reporter = ? AND closed_ts = 0 AND room_id = ? AND event_id = ?
     AND user_id = ? LIMIT 1`,
    [reporter, roomId, eventId, userId],
  )
  return rows.length > 0
}

/** Refused (`precondition`) where there is none, or somebody was faster. */
export function closeReport(reportId: string, now: number): Statement {
  return {
    sql: 'UPDATE reports SET closed_ts = ? WHERE report_id = ? AND closed_ts = 0',
    params: [now, reportId],
    expectRows: 1,
  }
}

/** Which reports of a kind, by parts of ids; what is absent lets all through. */
export interface ReportQuery extends PageOf {
  readonly kind: ReportKind
  readonly reporter?: string | undefined
  readonly roomId?: string | undefined
  /** The user that was reported, or the sender of the event. */
  readonly userId?: string | undefined
  readonly newestFirst: boolean
}

/** One page of the reports of a kind, those that were dealt with too. */
export function listReportsOfKind(
  db: Database,
  { kind, reporter, roomId, userId, newestFirst, ...page }: ReportQuery,
): Promise<Page<ReportRow>> {
  const parts = Object.entries({ reporter, room_id: roomId, user_id: userId }).filter(
    (part): part is [string, string] => part[1] !== undefined,
  )
  const where = ['kind = ?', ...parts.map(([column]) => `${column} LIKE ? ESCAPE '!'`)].join(' AND ')
  return readPage<ReportRow>(
    db,
    {
      columns: COLUMNS,
      tables: `reports WHERE ${where}`,
      order: `number ${newestFirst ? 'DESC' : 'ASC'}`,
      params: [kind, ...parts.map(([, text]) => containing(text))],
    },
    page,
  )
}

export async function findReportOfKind(
  db: Database,
  kind: ReportKind,
  number: number,
): Promise<ReportRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM reports WHERE number = ? AND kind = ?`
  return (await db.query<ReportRow>(sql, [number, kind]))[0]
}

/** Refused (`precondition`) where there is none of this kind. */
export function deleteReportOfKind(kind: ReportKind, number: number): Statement {
  return {
    sql: 'DELETE FROM reports WHERE number = ? AND kind = ?',
    params: [number, kind],
    expectRows: 1,
  }
}
