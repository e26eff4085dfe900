-- Events of a room that was joined fast which its whole state judged otherwise than they had been: 1 when there were
-- any. Then clients that were shown the room before are shown it anew.
ALTER TABLE partial_rooms ADD COLUMN overturned INTEGER NOT NULL DEFAULT 0;
