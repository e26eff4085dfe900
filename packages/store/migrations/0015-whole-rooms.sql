-- A room that was joined fast stays listed when it is whole: position in the log since when it is (0: not yet), so that
-- clients that were not shown it before are shown it then.
ALTER TABLE partial_rooms ADD COLUMN whole_at INTEGER NOT NULL DEFAULT 0;
