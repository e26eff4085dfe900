-- Content that is given to nobody any more and cannot come back, by the hash of its bytes.
CREATE TABLE quarantined_blobs (
  hash TEXT PRIMARY KEY,
  since_ts INTEGER NOT NULL
) WITHOUT ROWID;

-- Which events refer to which of our media, whatever became of the event; not what is encrypted.
CREATE TABLE media_references (
  media_id TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (media_id, event_nid)
) WITHOUT ROWID;
CREATE INDEX media_references_by_event ON media_references (event_nid);

-- Media that an event of its uploader referred to which was redacted: it goes unless something else refers to it.
CREATE TABLE media_unreferenced (
  media_id TEXT PRIMARY KEY,
  since_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX media_unreferenced_by_time ON media_unreferenced (since_ts);

-- There: the references of all events are written. Where there are events already, a job does it (jobs/index-media.ts).
INSERT INTO cursors (name, position) SELECT 'media_references', 1 WHERE NOT EXISTS (SELECT 1 FROM events);
