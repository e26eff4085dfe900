-- What application services are sent for end-to-end encryption (MSC3202).

-- For readers of the log that fell behind what is in memory, and for what a transaction holds.
CREATE INDEX to_device_by_position ON to_device (position);

-- Positions of the messages to devices that a transaction holds, with commas between them: they stay in `to_device` until it
-- is acknowledged.
ALTER TABLE appservice_transactions ADD COLUMN to_device TEXT NOT NULL DEFAULT '';

-- Devices of application services of which keys were handed out, until that is in a transaction.
CREATE TABLE appservice_key_counts (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  appservice_nid INTEGER NOT NULL,
  -- How often since it was told: whoever tells of it knows by that whether there was another time meanwhile.
  claims INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;
CREATE INDEX appservice_key_counts_by_appservice ON appservice_key_counts (appservice_nid);
