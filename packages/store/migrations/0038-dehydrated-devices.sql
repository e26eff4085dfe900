-- Devices that nobody is logged in on: they stand among the devices and receive messages, and whoever holds the secret
-- takes those up on a device of their own later. At most one a user. data: JSON as the client encrypted it.
-- https://github.com/matrix-org/matrix-spec-proposals/pull/3814
CREATE TABLE dehydrated_devices (
  user_id TEXT PRIMARY KEY,
  device_id TEXT NOT NULL,
  data TEXT NOT NULL
) WITHOUT ROWID;
