-- Events that are delivered reliably for a while (MSC4354): rows of those whose time is over are removed.
CREATE TABLE sticky_events (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  -- The log's position from which on it is told to clients; 0: it is soft-failed, and told to nobody.
  position INTEGER NOT NULL,
  -- By the time when it came and the one that its sender says, the earlier of the two.
  until_ts INTEGER NOT NULL,
  -- 1: by a user of this server, so that it is ours to send to servers that come into the room.
  is_ours INTEGER NOT NULL
);
CREATE INDEX sticky_events_of_room ON sticky_events (room_nid, position);
CREATE INDEX sticky_events_by_time ON sticky_events (until_ts);

-- Servers that have not got sticky events of ours between two positions: they came into the room since, or were far behind.
CREATE TABLE outbound_sticky (
  server_name TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  -- The first, and the one after the last.
  from_position INTEGER NOT NULL,
  end_position INTEGER NOT NULL,
  PRIMARY KEY (server_name, room_nid)
) WITHOUT ROWID;
CREATE INDEX outbound_sticky_of_room ON outbound_sticky (room_nid, server_name);

-- For how long the event is to be sticky, milliseconds; NULL: it is not.
ALTER TABLE delayed_events ADD COLUMN sticky_ms INTEGER;
