-- End-to-end encryption: what devices publish, what they send each other, and their backups.

-- Identity keys of a device, as its client uploaded them (JSON).
CREATE TABLE device_keys (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;

-- Handed out once each, oldest first: uploads in order of time, then of key ids within one upload.
CREATE TABLE one_time_keys (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  uploaded_ts INTEGER NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm, key_id)
) WITHOUT ROWID;
CREATE INDEX one_time_keys_by_age ON one_time_keys (user_id, device_id, algorithm, uploaded_ts, key_id);

-- Handed out when no one-time key is left, as often as needed.
CREATE TABLE fallback_keys (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  json TEXT NOT NULL,
  is_used INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm)
) WITHOUT ROWID;

-- purpose: master, self_signing, user_signing. public_key: unpadded base64, the name in its key id.
CREATE TABLE cross_signing_keys (
  user_id TEXT NOT NULL,
  purpose TEXT NOT NULL,
  public_key TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, purpose)
) WITHOUT ROWID;

-- Signatures uploaded after the key they are on. target: a device id, or the public key of a cross-signing key.
CREATE TABLE key_signatures (
  user_id TEXT NOT NULL,
  target TEXT NOT NULL,
  signer TEXT NOT NULL,
  signer_key_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  -- In the log: the signer's other devices are told of it.
  position INTEGER NOT NULL,
  PRIMARY KEY (user_id, target, signer, signer_key_id)
) WITHOUT ROWID;
CREATE INDEX key_signatures_by_signer ON key_signatures (signer, position);

-- Messages that a device has not acknowledged yet. json: the event as the device gets it.
CREATE TABLE to_device (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, position)
) WITHOUT ROWID;

-- When each user's devices or cross-signing keys last changed: for readers that fell behind the log in memory.
CREATE TABLE device_lists (
  user_id TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX device_lists_by_position ON device_lists (position);

-- key_count and etag change with every write to the backup's keys; is_deleted rows keep version numbers from
-- being used again.
CREATE TABLE key_backups (
  user_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  algorithm TEXT NOT NULL,
  auth_data TEXT NOT NULL,
  etag INTEGER NOT NULL,
  key_count INTEGER NOT NULL,
  is_deleted INTEGER NOT NULL,
  PRIMARY KEY (user_id, version)
) WITHOUT ROWID;

CREATE TABLE key_backup_sessions (
  user_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  room_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  first_message_index INTEGER NOT NULL,
  forwarded_count INTEGER NOT NULL,
  is_verified INTEGER NOT NULL,
  session_data TEXT NOT NULL,
  PRIMARY KEY (user_id, version, room_id, session_id)
) WITHOUT ROWID;
