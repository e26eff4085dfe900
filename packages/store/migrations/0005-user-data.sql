-- What people set for themselves: account data, receipts, filters, push rules; and what their unread counts need.

-- room_nid 0: global. Tags are room account data of type m.tag, the read marker of type m.fully_read.
CREATE TABLE account_data (
  user_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  type TEXT NOT NULL,
  -- JSON object.
  content TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_nid, type)
) WITHOUT ROWID;
CREATE INDEX account_data_by_position ON account_data (user_id, position);

-- The newest receipt of each user, kind and thread. thread_id is empty for receipts that are not threaded.
CREATE TABLE receipts (
  room_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  receipt_type TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (room_nid, user_id, receipt_type, thread_id)
) WITHOUT ROWID;
CREATE INDEX receipts_by_position ON receipts (room_nid, position);
CREATE INDEX receipts_by_user ON receipts (user_id, room_nid, thread_id, event_nid);

-- The newest message of each user of ours by thread ('main' outside threads): whoever speaks has read.
CREATE TABLE sent_positions (
  user_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  thread_id TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_nid, thread_id)
) WITHOUT ROWID;

-- Events that may highlight: who is mentioned, of our users. user_id is empty where the event has to be looked
-- at (mentions of the whole room, tombstones). Rows of redacted events are removed.
CREATE TABLE mentions (
  room_nid INTEGER NOT NULL,
  event_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  -- 1: the event counts as unread for everybody, not only for who is mentioned.
  notifies INTEGER NOT NULL,
  PRIMARY KEY (room_nid, event_nid, user_id)
) WITHOUT ROWID;

CREATE INDEX relations_of_threads ON relations (room_nid, event_nid, parent_event_id) WHERE rel_type = 'm.thread';

-- id: a hash of the definition, so that the same filter is stored once.
CREATE TABLE filters (
  user_id TEXT NOT NULL,
  filter_id TEXT NOT NULL,
  -- JSON object, as the client wrote it.
  definition TEXT NOT NULL,
  PRIMARY KEY (user_id, filter_id)
) WITHOUT ROWID;

-- What a user changed about the predefined rules, and their own rules; JSON, see matrix/push-rules/ruleset.ts.
CREATE TABLE push_rules (
  user_id TEXT PRIMARY KEY,
  changes TEXT NOT NULL,
  position INTEGER NOT NULL
) WITHOUT ROWID;
