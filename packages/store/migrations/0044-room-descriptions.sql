-- What rooms say of themselves, for operators who sort and search all of them. Follows from the state of the rooms;
-- written by a cursor ('room_list'), never with an event.
CREATE TABLE room_descriptions (
  room_nid INTEGER PRIMARY KEY,
  -- 1: it was never looked at, and the rest says nothing.
  is_due INTEGER NOT NULL,
  -- Texts are empty where the room says nothing.
  name TEXT NOT NULL,
  canonical_alias TEXT NOT NULL,
  -- Who sent the room's first event.
  creator TEXT NOT NULL,
  encryption TEXT NOT NULL,
  federatable INTEGER NOT NULL,
  join_rules TEXT NOT NULL,
  guest_access TEXT NOT NULL,
  history_visibility TEXT NOT NULL,
  room_type TEXT NOT NULL,
  avatar TEXT NOT NULL,
  -- Name and address in small letters: databases differ in what they take for one.
  folded_name TEXT NOT NULL,
  folded_alias TEXT NOT NULL
);
CREATE INDEX room_descriptions_due ON room_descriptions (room_nid) WHERE is_due = 1;

-- Rooms that are there already are looked at in the background.
INSERT INTO room_descriptions
  SELECT nid, 1, '', '', '', '', 1, '', '', '', '', '', '', '' FROM rooms WHERE substr(room_id, 1, 1) = '!';
