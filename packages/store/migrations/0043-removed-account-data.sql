-- When a piece of account data was removed, in milliseconds; 0: it is there. What was removed has the content {} from then on,
-- which is told to clients that have it still; the row goes after a while.
ALTER TABLE account_data ADD COLUMN removed_ts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX account_data_removed ON account_data (removed_ts) WHERE removed_ts > 0;
