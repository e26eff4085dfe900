-- What administrators decided about how much somebody may send, in place of the configured limits.
CREATE TABLE rate_limit_overrides (
  user_id TEXT PRIMARY KEY,
  -- Messages per second; 0: nothing of this user is limited at all.
  per_second INTEGER NOT NULL,
  burst INTEGER NOT NULL
) WITHOUT ROWID;

-- Rooms that nobody of this server may come into or be invited to; a block outlasts what is known of the room.
CREATE TABLE blocked_rooms (
  room_id TEXT PRIMARY KEY,
  -- The administrator; empty when they were erased.
  blocked_by TEXT NOT NULL,
  blocked_ts INTEGER NOT NULL
) WITHOUT ROWID;

-- Numbers of reports, in the order in which they came: what tools of operators know them by.
ALTER TABLE reports ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE reports SET number = (
  SELECT count(*) FROM reports o WHERE o.created_ts < reports.created_ts
    OR (o.created_ts = reports.created_ts AND o.report_id <= reports.report_id)
);
CREATE UNIQUE INDEX reports_by_number ON reports (number);
