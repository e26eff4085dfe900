-- How far each named reader of the log has durably got: everything up to position is done.
CREATE TABLE cursors (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;
