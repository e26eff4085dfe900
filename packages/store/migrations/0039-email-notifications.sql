-- E-mail notifications of missed messages: when somebody's turn is, and what they were told of each room.
-- What they may have missed stands in push_rooms, as for other pushers.

CREATE TABLE digest_turns (
  pusher_nid INTEGER PRIMARY KEY,
  -- When it is looked at what was missed; milliseconds.
  due_ts INTEGER NOT NULL,
  -- Grows whenever something is written into push_rooms for the pusher.
  revision INTEGER NOT NULL,
  -- Attempts in a row that the mail server refused.
  failures INTEGER NOT NULL
);
CREATE INDEX digest_turns_by_due ON digest_turns (due_ts, pusher_nid);

CREATE TABLE digest_rooms (
  pusher_nid INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  -- The oldest event that was missed when it was last looked, and since when it waits, milliseconds; 0: none.
  missed_nid INTEGER NOT NULL,
  missed_ts INTEGER NOT NULL,
  -- The newest event that a mail told of, 0 before the first; when that was, and how long the room is silent after it.
  told_nid INTEGER NOT NULL,
  told_ts INTEGER NOT NULL,
  pause_ms INTEGER NOT NULL,
  PRIMARY KEY (pusher_nid, room_nid)
) WITHOUT ROWID;
CREATE INDEX digest_rooms_by_room ON digest_rooms (room_nid, pusher_nid);
