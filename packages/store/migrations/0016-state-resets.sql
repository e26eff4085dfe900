-- Resolutions of a room's state that gave what none of the branches had: the newest of each room.
CREATE TABLE state_resets (
  room_nid INTEGER NOT NULL,
  -- Root of the resolved state: the same resolution is told once.
  root INTEGER NOT NULL,
  at_ts INTEGER NOT NULL,
  -- JSON: how many keys, and up to ten of them with the event that is there now.
  reset_keys TEXT NOT NULL,
  PRIMARY KEY (room_nid, root)
) WITHOUT ROWID;
