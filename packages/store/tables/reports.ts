import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const REPORTS: TableShape = {
  name: 'reports',
  columns: [
    { name: 'report_id', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'reporter', type: 'text' },
    { name: 'room_id', type: 'text' },
    { name: 'event_id', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'reason', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'closed_ts', type: 'int' },
  ],
}

export type ReportKind = 'event' | 'room' | 'user'

/** What somebody has reported to the operators. */
export interface ReportRow extends Row {
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

const COLUMNS = 'report_id, kind, reporter, room_id, event_id, user_id, reason, created_ts, closed_ts'

export function insertReport(report: ReportRow): Step {
  return {
    into: REPORTS,
    values: [
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
  { reporter, room_id: roomId, event_id: eventId, user_id: userId }: ReportRow,
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
