-- Threads that people subscribed to, and those that they have unsubscribed from since.
CREATE TABLE thread_subscriptions (
  user_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  -- The thread's root.
  thread_id TEXT NOT NULL,
  -- 1: subscribed.
  subscribed INTEGER NOT NULL,
  -- 1: a client subscribed by itself, as for a mention.
  automatic INTEGER NOT NULL,
  -- The log's position when it was unsubscribed: no event up to there subscribes again by itself. 0: it never was.
  unsubscribed_at INTEGER NOT NULL,
  -- Of the last change.
  position INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_nid, thread_id)
) WITHOUT ROWID;
CREATE INDEX thread_subscriptions_by_position ON thread_subscriptions (user_id, position);
CREATE INDEX thread_subscriptions_of_room ON thread_subscriptions (room_nid, user_id, thread_id);
