-- Content that is given to nobody any more and cannot come back, by the hash of its bytes.
CREATE TABLE quarantined_blobs (
  hash TEXT PRIMARY KEY,
  since_ts INTEGER NOT NULL
) WITHOUT ROWID;
