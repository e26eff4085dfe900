-- How far the history of a room was cut off: of what stands no deeper in its graph (events.depth) nothing is left but
-- state, and what was kept on purpose; nothing of it is fetched from other servers again.
CREATE TABLE history_cuts (
  room_nid INTEGER PRIMARY KEY,
  depth INTEGER NOT NULL
);
