-- What the writer itself relies on (log_state, rooms), and tables for the suite's own rows.
CREATE TABLE log_state (
  id INTEGER PRIMARY KEY,
  position INTEGER NOT NULL,
  historical INTEGER NOT NULL,
  epoch TEXT NOT NULL
);
CREATE TABLE rooms (
  nid INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL UNIQUE,
  room_version TEXT NOT NULL,
  version INTEGER NOT NULL,
  head TEXT NOT NULL
);
CREATE TABLE things (
  nid INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  amount INTEGER,
  data BLOB
);
-- A semicolon; and a 'quote' in a comment.
CREATE TABLE notes (
  owner TEXT NOT NULL,
  note TEXT NOT NULL DEFAULT 'none; yet',
  amount INTEGER NOT NULL,
  PRIMARY KEY (owner, note)
) WITHOUT ROWID;
CREATE INDEX notes_by_amount ON notes (amount);
