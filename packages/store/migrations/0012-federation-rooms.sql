-- Rooms that other servers write into as well: graphs that fork and have gaps.

-- Root of the room's current state once this event was accepted, where that is not the state after the event on
-- its own branch (forks); 0: the same.
ALTER TABLE events ADD COLUMN room_root INTEGER NOT NULL DEFAULT 0;
-- History in the order of the graph: what fills a gap has its place there, whenever it came.
CREATE INDEX events_by_depth ON events (room_nid, depth, nid);

-- The auth events of a state event, as numbers of state events (varints); NULL: not written down, see the event.
ALTER TABLE state_events ADD COLUMN auth BLOB;

-- Backward extremities: events that one of ours points at and that we do not hold as part of the graph.
CREATE TABLE backward_extremities (
  room_nid INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  -- The number and depth of the newest event that points at it.
  child_nid INTEGER NOT NULL,
  child_depth INTEGER NOT NULL,
  PRIMARY KEY (room_nid, event_id)
) WITHOUT ROWID;

-- Other servers with a joined member in a room; a row stays when the last one left.
CREATE TABLE room_servers (
  room_nid INTEGER NOT NULL,
  server_name TEXT NOT NULL,
  -- How many of its users are joined.
  joined INTEGER NOT NULL,
  -- Number of the event by which its first user came, and of the one by which its last user left (0: has not).
  from_nid INTEGER NOT NULL,
  until_nid INTEGER NOT NULL,
  PRIMARY KEY (room_nid, server_name)
) WITHOUT ROWID;
CREATE INDEX room_servers_by_name ON room_servers (server_name, room_nid);

-- PDUs that were received, verified and acknowledged, and wait for events that have to be fetched first.
CREATE TABLE inbound_pdus (
  room_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  depth INTEGER NOT NULL,
  json BLOB NOT NULL,
  received_ts INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (room_id, event_id)
) WITHOUT ROWID;

-- What another server told us of a room when it invited a user of ours, or was knocked at (JSON array).
CREATE TABLE stripped_states (
  room_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (room_nid, user_id)
) WITHOUT ROWID;
CREATE INDEX stripped_states_by_user ON stripped_states (user_id);

-- Rooms joined fast, whose members are not all here yet.
CREATE TABLE partial_rooms (
  room_nid INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL,
  -- The join event, at which the whole state is asked for.
  event_id TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  -- Who may be asked (JSON array), the server we joined by first.
  servers TEXT NOT NULL,
  members_known INTEGER NOT NULL,
  started_ts INTEGER NOT NULL,
  attempts INTEGER NOT NULL
);
