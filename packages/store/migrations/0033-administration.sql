-- What administrators decided about how much somebody may send, in place of the configured limits.
CREATE TABLE rate_limit_overrides (
  user_id TEXT PRIMARY KEY,
  -- Messages per second; 0: nothing of this user is limited at all.
  per_second INTEGER NOT NULL,
  burst INTEGER NOT NULL
) WITHOUT ROWID;
