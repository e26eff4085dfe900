-- When what a waiting event refers to is asked for next (milliseconds of the wall clock).
ALTER TABLE inbound_pdus ADD COLUMN due_ts INTEGER NOT NULL DEFAULT 0;
