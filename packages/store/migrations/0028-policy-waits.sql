-- Events that are soft-failed since their room's policy server could not be asked about them: it is asked again.
CREATE TABLE policy_waits (
  room_nid INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  since_ts INTEGER NOT NULL,
  PRIMARY KEY (room_nid, event_id)
) WITHOUT ROWID;
CREATE INDEX policy_waits_by_time ON policy_waits (room_nid, since_ts);
