-- What clients have been told over their connections of sliding sync: the last two answers that changed it, since the
-- last one may have been lost.
CREATE TABLE sliding_connections (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  -- As the client names it; may be empty.
  conn_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  -- When it was written, milliseconds: a device's oldest connections are forgotten.
  written_ts INTEGER NOT NULL,
  -- JSON: rooms by number, what of each was told, and how far (homeserver/sync/sliding/connection-json.ts).
  rooms TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, conn_id, generation)
) WITHOUT ROWID;
