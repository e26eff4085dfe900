-- What people have reported to the operators: events, rooms, users.
CREATE TABLE reports (
  report_id TEXT PRIMARY KEY,
  -- event, room or user.
  kind TEXT NOT NULL,
  reporter TEXT NOT NULL,
  -- Empty where the report is about none: the room, the event in it, the user or the event's sender.
  room_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  -- 0: nobody has dealt with it.
  closed_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX reports_by_age ON reports (closed_ts, created_ts, report_id);
CREATE INDEX reports_of_reporter ON reports (reporter);
CREATE INDEX reports_of_room ON reports (room_id);
