-- Bridges: which room shows which channel, who stands for whom, and what is on its way. The hub may keep these in
-- a database of its own, when it serves somebody else's homeserver. Message content is kept only while it is on its
-- way: payload and parts are emptied once it has arrived.

-- A channel of another network. channel is its folded, comparable name; name is how people write it.
CREATE TABLE bridge_portal (
  nid INTEGER PRIMARY KEY,
  network TEXT NOT NULL,
  server TEXT NOT NULL,
  channel TEXT NOT NULL,
  name TEXT NOT NULL,
  created_ts INTEGER NOT NULL
);
CREATE UNIQUE INDEX bridge_portal_by_channel ON bridge_portal (network, server, channel);

-- Room ↔ portal. state: proposed, consenting, live, paused, leaving, gone. options: JSON.
CREATE TABLE bridge_link (
  nid INTEGER PRIMARY KEY,
  portal_nid INTEGER NOT NULL,
  room_id TEXT NOT NULL,
  state TEXT NOT NULL,
  options TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  updated_ts INTEGER NOT NULL
);
CREATE UNIQUE INDEX bridge_link_by_portal ON bridge_link (portal_nid) WHERE state <> 'gone';
CREATE INDEX bridge_link_by_room ON bridge_link (room_id);

-- Who agreed to a link, or ended it: side is matrix or remote.
CREATE TABLE bridge_consent (
  link_nid INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  side TEXT NOT NULL,
  who TEXT NOT NULL,
  answer TEXT NOT NULL,
  proof TEXT NOT NULL,
  PRIMARY KEY (link_nid, ts, side)
) WITHOUT ROWID;

-- A Matrix user that stands for a person of another network.
CREATE TABLE bridge_ghost (
  user_id TEXT PRIMARY KEY,
  network TEXT NOT NULL,
  server TEXT NOT NULL,
  remote_id TEXT NOT NULL,
  display_name TEXT NOT NULL,
  created_ts INTEGER NOT NULL
) WITHOUT ROWID;

-- Ghosts that are in the room of a portal.
CREATE TABLE bridge_ghost_member (
  portal_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  room_id TEXT NOT NULL,
  PRIMARY KEY (portal_nid, user_id)
) WITHOUT ROWID;

-- Event ↔ remote message, one row per part. remote_id is empty where the network gives no ids.
CREATE TABLE message_link (
  event_id TEXT NOT NULL,
  portal_nid INTEGER NOT NULL,
  part INTEGER NOT NULL,
  remote_id TEXT NOT NULL,
  room_id TEXT NOT NULL,
  -- Who said it on the network, by its own id; empty: one of us.
  remote_author TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  PRIMARY KEY (event_id, portal_nid, part)
) WITHOUT ROWID;
CREATE INDEX message_link_by_remote_id ON message_link (portal_nid, remote_id);
CREATE INDEX message_link_by_age ON message_link (created_ts);

-- Operations toward the networks (and the hub's own tasks), strictly ordered by nid within a lane. state: ready,
-- attempting (written before any byte leaves), uncertain, refused; what was sent is deleted. parts: JSON of what
-- goes over the wire, once rendered; part: the one under way.
CREATE TABLE bridge_outbox (
  nid INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  portal_nid INTEGER NOT NULL,
  room_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  parts TEXT NOT NULL,
  part INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created_ts INTEGER NOT NULL
);
CREATE INDEX bridge_outbox_by_lane ON bridge_outbox (lane, state, nid);
CREATE INDEX bridge_outbox_by_event ON bridge_outbox (event_id);
CREATE INDEX bridge_outbox_by_state ON bridge_outbox (state, created_ts);

-- What came from the networks. dedupe_key: the network's id, or one of ours where it has none. state: ready, done,
-- refused.
CREATE TABLE bridge_inbox (
  nid INTEGER PRIMARY KEY,
  portal_nid INTEGER NOT NULL,
  dedupe_key TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  created_ts INTEGER NOT NULL
);
CREATE UNIQUE INDEX bridge_inbox_by_key ON bridge_inbox (portal_nid, dedupe_key);
CREATE INDEX bridge_inbox_by_state ON bridge_inbox (state, portal_nid, nid);
CREATE INDEX bridge_inbox_by_age ON bridge_inbox (created_ts);

-- Transactions of the homeserver that are done.
CREATE TABLE bridge_transaction (
  txn_id TEXT PRIMARY KEY,
  created_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX bridge_transaction_by_age ON bridge_transaction (created_ts);

-- How a Matrix user appears on a network. secret: sealed credentials, or empty.
CREATE TABLE bridge_account (
  network TEXT NOT NULL,
  server TEXT NOT NULL,
  user_id TEXT NOT NULL,
  nick TEXT NOT NULL,
  secret BLOB NOT NULL,
  updated_ts INTEGER NOT NULL,
  PRIMARY KEY (network, server, user_id)
) WITHOUT ROWID;

-- How far a network's history was read, in its own terms.
CREATE TABLE bridge_cursor (
  portal_nid INTEGER PRIMARY KEY,
  cursor TEXT NOT NULL
);
