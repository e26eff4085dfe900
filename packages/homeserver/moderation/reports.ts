import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { hasOpenReport, insertReport, type ReportKind } from '@causeway/store/tables/reports.ts'
import type { Homeserver } from '../homeserver.ts'

/** What somebody reports: an event with its sender, a room, or a user. */
export interface Report {
  readonly kind: ReportKind
  readonly reporter: UserId
  readonly roomId?: RoomId
  readonly eventId?: EventId
  readonly userId?: UserId
  readonly reason: string
}

/** What of a reason is kept. */
const MAX_REASON = 2_000
const ID_LENGTH = 12

/** Keeps a report for the operators, and says so in the log. The same again by the same person changes nothing. */
export async function fileReport(
  { db, clock, random, logger }: Pick<Homeserver, 'db' | 'clock' | 'random' | 'logger'>,
  { kind, reporter, roomId, eventId, userId, reason }: Report,
): Promise<void> {
  const row = {
    report_id: random.token(ID_LENGTH),
    kind,
    reporter,
    room_id: roomId ?? '',
    event_id: eventId ?? '',
    user_id: userId ?? '',
    reason: reason.slice(0, MAX_REASON).toWellFormed(),
    created_ts: clock.now(),
    closed_ts: 0,
  }
  if (await hasOpenReport(db, row)) return
  await db.commit({ entries: [], steps: [insertReport(row)] })
  logger.warn('something was reported; see `causeway admin report list`', {
    report: row.report_id,
    kind,
    reporter,
    room: row.room_id,
    event: row.event_id,
    user: row.user_id,
  })
}
