-- Whom people find when they look for somebody. Everything here follows from memberships, events and profiles.

-- Rooms as the user directory knows them.
CREATE TABLE directory_rooms (
  room_nid INTEGER PRIMARY KEY,
  -- 1: somebody of ours is in it; of others we do not hear any more.
  is_live INTEGER NOT NULL,
  -- 1: it is live, and anybody may join or read it: its members are found by all.
  is_public INTEGER NOT NULL,
  -- Its members are to be looked at, all of them: 0 no; 1 those that are shown, by name_nid; 2 those who are joined.
  walk INTEGER NOT NULL,
  -- How far that has got.
  walked_to TEXT NOT NULL
);
CREATE INDEX directory_rooms_to_walk ON directory_rooms (room_nid) WHERE walk <> 0;

-- A user under one name and picture. Users of ours have one, their profile; others one for each that they show in
-- a room, since what is shown in a room is for those in it.
CREATE TABLE directory_names (
  nid INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  -- Both may be empty.
  display_name TEXT NOT NULL,
  avatar_url TEXT NOT NULL
);
CREATE INDEX directory_names_by_user ON directory_names (user_id);

-- Where a user is seen under a name.
CREATE TABLE directory_shown (
  name_nid INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  PRIMARY KEY (name_nid, room_nid)
) WITHOUT ROWID;
CREATE INDEX directory_shown_by_room ON directory_shown (room_nid, name_nid);

-- Words that find a name: folded words of name and localpart, '@' and the whole id, '=' and the whole name or localpart.
CREATE TABLE directory_words (
  word TEXT NOT NULL,
  name_nid INTEGER NOT NULL,
  PRIMARY KEY (word, name_nid)
) WITHOUT ROWID;
CREATE INDEX directory_words_by_name ON directory_words (name_nid, word);

-- Rooms that are there already are looked at in the background.
INSERT INTO directory_rooms (room_nid, is_live, is_public, walk, walked_to)
  SELECT nid, 0, 0, 1, '' FROM rooms WHERE substr(room_id, 1, 1) = '!';
