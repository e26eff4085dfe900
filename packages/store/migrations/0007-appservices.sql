-- What application services are sent.

-- One row for each that was ever registered. registration: the part of it that `appservice_members` depends on.
CREATE TABLE appservices (
  nid INTEGER PRIMARY KEY,
  appservice_id TEXT NOT NULL UNIQUE,
  registration TEXT NOT NULL,
  -- Number of its last transaction; numbers are never used twice.
  last_txn INTEGER NOT NULL
);

-- Users of ours that are joined to a room and in the namespace of an appservice, as of its cursor's position.
CREATE TABLE appservice_members (
  room_nid INTEGER NOT NULL,
  appservice_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  PRIMARY KEY (room_nid, appservice_nid, user_id)
) WITHOUT ROWID;

-- What an appservice shall have and is in no transaction yet, about a hundred items a row, in order. items: JSON
-- values with commas between them, each the log number of an event.
CREATE TABLE appservice_pending (
  appservice_nid INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  items TEXT NOT NULL,
  PRIMARY KEY (appservice_nid, seq)
) WITHOUT ROWID;

-- The one transaction of an appservice that is not acknowledged: sent again as it stands until it is.
CREATE TABLE appservice_transactions (
  appservice_nid INTEGER PRIMARY KEY,
  txn INTEGER NOT NULL,
  body TEXT NOT NULL
);

-- Rooms that appservices publish in the directories of their networks.
CREATE TABLE appservice_published_rooms (
  network_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  appservice_id TEXT NOT NULL,
  PRIMARY KEY (network_id, room_nid)
) WITHOUT ROWID;
