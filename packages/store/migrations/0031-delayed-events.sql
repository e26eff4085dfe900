-- Events that their senders want sent later, and what became of them.
CREATE TABLE delayed_events (
  -- Random, and not to be guessed: who knows it may have the event sent, restarted or cancelled.
  delay_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  type TEXT NOT NULL,
  -- NULL: no state event.
  state_key TEXT,
  -- JSON object, as the sender gave it.
  content TEXT NOT NULL,
  -- What an application service wants to stand in the event as its time; NULL: the time when it is sent.
  origin_ts INTEGER,
  delay_ms INTEGER NOT NULL,
  -- When it was scheduled or last restarted, and delay_ms later.
  since_ts INTEGER NOT NULL,
  send_ts INTEGER NOT NULL,
  -- 0 while it is scheduled.
  finalised_ts INTEGER NOT NULL,
  -- The event that it became; 0: none.
  event_nid INTEGER NOT NULL,
  -- JSON object: why it could not be sent. Empty: it was sent, cancelled, or is scheduled.
  error TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX delayed_events_by_time ON delayed_events (finalised_ts, send_ts, delay_id);
CREATE INDEX delayed_events_of_user ON delayed_events (user_id, finalised_ts, send_ts);
CREATE INDEX delayed_events_of_room ON delayed_events (room_nid, event_nid);
