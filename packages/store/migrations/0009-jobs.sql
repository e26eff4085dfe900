-- Work that takes many writes: purging a room, erasing a user. Each write of a job says in its row how far it has
-- got, so that it goes on there after a stop between any two of them.

CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  -- What it is about: a room id, a user id, or both with a space between. One job of a kind for each at a time.
  subject TEXT NOT NULL,
  -- JSON objects.
  input TEXT NOT NULL,
  progress TEXT NOT NULL,
  -- Why it was given up, or empty.
  error TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  updated_ts INTEGER NOT NULL,
  -- 0: still to be done.
  finished_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_open ON jobs (kind, subject) WHERE finished_ts = 0;
CREATE INDEX jobs_by_age ON jobs (finished_ts, created_ts);
