-- Where people want to be notified, and what of it is still to be sent.

-- nid is random: what is shared out among processes by number is shared out evenly.
CREATE TABLE pushers (
  nid INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  pushkey TEXT NOT NULL,
  -- The device whose session set it; it goes with that. Empty: an appservice that named none.
  device_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  app_display_name TEXT NOT NULL,
  device_display_name TEXT NOT NULL,
  profile_tag TEXT NOT NULL,
  lang TEXT NOT NULL,
  -- JSON object, as the client wrote it; url is in it.
  data TEXT NOT NULL,
  -- Host and port of the gateway: who does not answer there holds up nobody elsewhere.
  gateway TEXT NOT NULL,
  set_ts INTEGER NOT NULL,
  -- Log position at which it was first set, and last: events after the first are its concern.
  since INTEGER NOT NULL,
  position INTEGER NOT NULL,
  -- The count of unread messages that the gateway was last told; -1: none yet.
  badge INTEGER NOT NULL,
  -- Since when it could not be reached, milliseconds; 0 while it can.
  failing_since INTEGER NOT NULL
);
CREATE UNIQUE INDEX pushers_by_user ON pushers (user_id, app_id, pushkey);
CREATE INDEX pushers_by_pushkey ON pushers (app_id, pushkey);

-- Rooms with events that a pusher may still have to be told of, from from_nid on. Room number 0 stands for the count
-- of unread messages.
CREATE TABLE push_rooms (
  pusher_nid INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  from_nid INTEGER NOT NULL,
  -- Grows with every event after which the row was written again.
  revision INTEGER NOT NULL,
  PRIMARY KEY (pusher_nid, room_nid)
) WITHOUT ROWID;
CREATE INDEX push_rooms_by_room ON push_rooms (room_nid, pusher_nid);
