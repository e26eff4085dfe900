-- What this server keeps of users and media of other servers.

-- Users of other servers whose devices are kept, because they share a room with a user of ours. Their cross-signing
-- keys are in cross_signing_keys, beside ours: both are signed, and shown, in the same way.
CREATE TABLE remote_device_lists (
  user_id TEXT PRIMARY KEY,
  server_name TEXT NOT NULL,
  -- The last update that is in the copy; -1: the copy came without a number, and any update shows a gap.
  stream_id INTEGER NOT NULL,
  -- 1: an update was missed. The copy is fetched anew before it is believed.
  is_stale INTEGER NOT NULL,
  -- When a stale copy is to be fetched next, and how often that has failed.
  retry_ts INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  fetched_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX remote_device_lists_stale ON remote_device_lists (retry_ts) WHERE is_stale = 1;

-- json: the identity keys of a device as its server told them, without `unsigned`.
CREATE TABLE remote_devices (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  -- Empty when it has none.
  display_name TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;

-- Ids of messages to devices that other servers have sent: a message that is sent twice arrives once.
CREATE TABLE received_messages (
  origin TEXT NOT NULL,
  message_id TEXT NOT NULL,
  received_ts INTEGER NOT NULL,
  PRIMARY KEY (origin, message_id)
) WITHOUT ROWID;
CREATE INDEX received_messages_by_age ON received_messages (received_ts);

-- Media of other servers that was fetched. The bytes are blobs under their hash, as those of our own media.
CREATE TABLE remote_media (
  server_name TEXT NOT NULL,
  media_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  size INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  filename TEXT NOT NULL,
  fetched_ts INTEGER NOT NULL,
  -- The day on which it was last asked for, as a time; what nobody has asked for in a long time goes.
  used_ts INTEGER NOT NULL,
  -- 1: also served without an account. Decided when it is fetched.
  is_open INTEGER NOT NULL,
  PRIMARY KEY (server_name, media_id)
) WITHOUT ROWID;
CREATE INDEX remote_media_by_hash ON remote_media (hash);
CREATE INDEX remote_media_by_use ON remote_media (used_ts);
