-- How far the history of a room was cut off: of what stands no deeper in its graph (events.depth) nothing is left but
-- state, and what was kept on purpose; nothing of it is fetched from other servers again.
CREATE TABLE history_cuts (
  room_nid INTEGER PRIMARY KEY,
  depth INTEGER NOT NULL
);

-- Who took content out of use: a user, or whoever did it on the command line; empty: that was not kept, or they were erased.
ALTER TABLE quarantined_blobs ADD COLUMN quarantined_by TEXT NOT NULL DEFAULT '';

-- 1: what an administrator found to be good; its content is not taken out of use.
ALTER TABLE media ADD COLUMN is_protected INTEGER NOT NULL DEFAULT 0;
