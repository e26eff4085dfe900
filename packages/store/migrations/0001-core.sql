-- The log, rooms, events and their state. Types are written portably: INTEGER, TEXT, BLOB (migrate.ts maps
-- them). There are no foreign keys: rows of one write go in together, and purge and erasure are explicit lists.

-- One row. position: the last position handed out; historical: the last of the decreasing sequence.
-- epoch: changes when a backup is restored, so that tokens of the lost future are known as such.
CREATE TABLE log_state (
  id INTEGER PRIMARY KEY,
  position INTEGER NOT NULL,
  historical INTEGER NOT NULL,
  epoch TEXT NOT NULL
);

-- version goes up with every accepted event: the precondition of writes. head: forward extremities, state
-- root, next node and key numbers (JSON).
CREATE TABLE rooms (
  nid INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL UNIQUE,
  room_version TEXT NOT NULL,
  version INTEGER NOT NULL,
  head TEXT NOT NULL
);

-- nid is the log position (or a number of the decreasing sequence). json: the signed PDU, canonical.
CREATE TABLE events (
  nid INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  room_nid INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  state_root INTEGER NOT NULL,
  state_before INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  -- The event's number among the room's state events (state_events), 0 for other events.
  state_nid INTEGER NOT NULL,
  json BLOB NOT NULL
);
CREATE INDEX events_by_room ON events (room_nid, nid, flags);

-- Why an event was rejected or soft-failed: for the operator.
CREATE TABLE event_rejections (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  reason TEXT NOT NULL
);

-- The persistent state tree (store/state): nodes belong to one room.
CREATE TABLE state_nodes (
  room_nid INTEGER NOT NULL,
  node_nid INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (room_nid, node_nid)
) WITHOUT ROWID;

-- The leaves of the tree hold a room's own dense numbers of state events, known before the commit gives the
-- event its log position.
CREATE TABLE state_events (
  room_nid INTEGER NOT NULL,
  state_nid INTEGER NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (room_nid, state_nid)
) WITHOUT ROWID;

-- (type, state_key) interned per room, densely from 0, in order of first appearance.
CREATE TABLE state_keys (
  room_nid INTEGER NOT NULL,
  key_nid INTEGER NOT NULL,
  type TEXT NOT NULL,
  state_key TEXT NOT NULL,
  PRIMARY KEY (room_nid, key_nid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX state_keys_by_name ON state_keys (room_nid, type, state_key);

-- Current membership of every user in every room we know.
CREATE TABLE memberships (
  user_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  membership TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  -- A user of ours: what sync, push and the directory look at.
  is_local INTEGER NOT NULL,
  -- The user forgot the room (only after leaving it).
  forgotten INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_nid)
) WITHOUT ROWID;
CREATE INDEX memberships_by_room ON memberships (room_nid, membership, is_local, user_id);

-- m.relates_to of every event that has one, redacted ones removed.
CREATE TABLE relations (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  parent_event_id TEXT NOT NULL,
  rel_type TEXT NOT NULL,
  type TEXT NOT NULL,
  sender TEXT NOT NULL,
  -- Annotation key, else empty.
  aggregation_key TEXT NOT NULL
);
CREATE INDEX relations_by_parent ON relations (parent_event_id, rel_type, type, event_nid);

-- A redaction may come before its target.
CREATE TABLE redactions (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  redacts TEXT NOT NULL
);
CREATE INDEX redactions_by_target ON redactions (redacts);

-- Answers to idempotent requests: key = hash of (user, device, method, path), kept at least 24 hours.
CREATE TABLE client_transactions (
  key BLOB PRIMARY KEY,
  response TEXT NOT NULL,
  created_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX client_transactions_by_age ON client_transactions (created_ts);

CREATE TABLE room_aliases (
  alias TEXT PRIMARY KEY,
  room_id TEXT NOT NULL,
  creator TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX room_aliases_by_room ON room_aliases (room_id);

-- Rooms published in the directory.
CREATE TABLE published_rooms (
  room_nid INTEGER PRIMARY KEY
);
