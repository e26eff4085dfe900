import { BLANK, deleteRows, each, keep, type ErasureList } from './rules.ts'

/** What people have reported, and what operators have shut. */
export const reportTables: ErasureList = {
  reports: {
    columns: {
      report_id: 'none',
      kind: 'none',
      reporter: 'user_id',
      room_id: 'room_id',
      event_id: 'event_id',
      user_id: 'user_id',
      reason: 'content',
      created_ts: 'none',
      closed_ts: 'none',
      number: 'none',
    },
    purge: deleteRows('room_id', 'report_id'),
    erase: {
      reporter: deleteRows('reporter', 'report_id'),
      user_id: keep('what others report of somebody is theirs; the operators close it'),
    },
    redact: each(['event_id', 'reason'], keep('that it was redacted is for the operators to see')),
    cut: keep('that it was reported is for the operators to see'),
  },
  blocked_rooms: {
    columns: { room_id: 'room_id', blocked_by: 'user_id', blocked_ts: 'none' },
    purge: keep('the room must not come back'),
    erase: { blocked_by: BLANK },
  },
}
