-- What other servers are still to be sent.

-- Sets of servers (JSON array of names), each shared by the events that the same servers shall have.
CREATE TABLE outbound_sets (
  nid INTEGER PRIMARY KEY,
  servers TEXT NOT NULL
);

-- Events that other servers shall have, until the last of them has it. also: a server beside the set, or empty.
CREATE TABLE outbound_events (
  room_nid INTEGER NOT NULL,
  nid INTEGER NOT NULL,
  set_nid INTEGER NOT NULL,
  also TEXT NOT NULL,
  PRIMARY KEY (room_nid, nid)
) WITHOUT ROWID;

-- Rooms with events that a server has not got and that are in no transaction yet: those of `outbound_events` from
-- from_nid on. Room number 0 stands for changes of devices, from_nid for the position of the first.
CREATE TABLE outbound_rooms (
  server_name TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  from_nid INTEGER NOT NULL,
  -- The last event by which a user of the server was put out of the room; 0: none.
  parted_nid INTEGER NOT NULL,
  -- Grows with every event after which the row was written again.
  revision INTEGER NOT NULL,
  PRIMARY KEY (server_name, room_nid)
) WITHOUT ROWID;
CREATE INDEX outbound_rooms_by_room ON outbound_rooms (room_nid, from_nid);

-- The one transaction of a server that is not answered: sent again as it stands until it is. pdus: numbers of events
-- (JSON array), edus: JSON array; to_device_upto: the messages up to here are in it, by their seq.
CREATE TABLE outbound_transactions (
  server_name TEXT PRIMARY KEY,
  txn_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  pdus TEXT NOT NULL,
  edus TEXT NOT NULL,
  to_device_upto INTEGER NOT NULL
);

-- Messages to devices of other servers, each an EDU (JSON), until they are acknowledged.
CREATE TABLE outbound_to_device (
  server_name TEXT NOT NULL,
  seq INTEGER NOT NULL,
  edu TEXT NOT NULL,
  PRIMARY KEY (server_name, seq)
) WITHOUT ROWID;

-- When each device of a user of ours last changed (log position), and when another of the user's devices had changed
-- before: what tells other servers whether they missed something. Without a device id: the cross-signing keys.
CREATE TABLE device_changes (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  previous INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;
CREATE INDEX device_changes_by_position ON device_changes (position);
