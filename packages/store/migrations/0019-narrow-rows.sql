-- Less disk for every message.

-- Answers to idempotent requests. Nearly every one is the id of an event that is stored already: then event_nid tells
-- it, and response is NULL; else event_nid is NULL. Both are NULL where the event was purged.
DROP INDEX client_transactions_by_age;
ALTER TABLE client_transactions RENAME TO old_client_transactions;
CREATE TABLE client_transactions (
  -- Hash of (user, device, method, path).
  key BLOB PRIMARY KEY,
  -- By the minute.
  created_ts INTEGER NOT NULL,
  event_nid INTEGER,
  response TEXT
) WITHOUT ROWID;
INSERT INTO client_transactions (key, created_ts, event_nid, response)
  SELECT t.key, t.created_ts, e.nid, CASE WHEN t.response LIKE '$%' THEN NULL ELSE t.response END
  FROM old_client_transactions t LEFT JOIN events e ON e.event_id = t.response;
DROP TABLE old_client_transactions;
CREATE INDEX client_transactions_by_age ON client_transactions (created_ts);

-- Places in a room's graph end at two thousand million (homeserver/rooms/stored-event.ts).
UPDATE events SET depth = 2000000000 WHERE depth > 2000000000;

-- [postgres]
-- Entries of up to 16 bytes: PostgreSQL fills the pages of such an index when a room grows in the midst of it, and leaves
-- those of wider ones half empty. Without the flags, by which SQLite counts unread messages, and with narrower numbers.
DROP INDEX events_by_room;
DROP INDEX events_by_depth;
ALTER TABLE events ALTER COLUMN room_nid TYPE INT4, ALTER COLUMN depth TYPE INT4;
CREATE INDEX events_by_room ON events (room_nid, nid);
CREATE INDEX events_by_depth ON events (room_nid, depth, nid);

-- Event ids and hashes are random and long, and only ever looked up whole: hash indexes hold them at half the size.
ALTER TABLE events DROP CONSTRAINT events_event_id_key;
ALTER TABLE events ADD CONSTRAINT events_by_id EXCLUDE USING hash (event_id WITH =) WITH (fillfactor = 90);
ALTER TABLE client_transactions DROP CONSTRAINT client_transactions_pkey1;
ALTER TABLE client_transactions ADD CONSTRAINT client_transactions_by_key
  EXCLUDE USING hash (key WITH =) WITH (fillfactor = 90);
