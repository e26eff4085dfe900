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
