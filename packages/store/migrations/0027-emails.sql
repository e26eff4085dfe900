-- Addresses at which people of this server are reached: to log in by, and to reset a password.
CREATE TABLE user_threepids (
  -- Always `email` so far.
  medium TEXT NOT NULL,
  -- In small letters.
  address TEXT NOT NULL,
  user_id TEXT NOT NULL,
  validated_ts INTEGER NOT NULL,
  added_ts INTEGER NOT NULL,
  PRIMARY KEY (medium, address)
) WITHOUT ROWID;
CREATE INDEX user_threepids_user ON user_threepids (user_id, medium, address);

-- Somebody says that they receive what is sent to an address, and proves it by the link in a mail.
CREATE TABLE email_sessions (
  sid TEXT PRIMARY KEY,
  client_secret TEXT NOT NULL,
  address TEXT NOT NULL,
  -- register, add or reset: what it can be used for.
  purpose TEXT NOT NULL,
  -- Who adds the address; empty otherwise.
  user_id TEXT NOT NULL,
  send_attempt INTEGER NOT NULL,
  -- SHA-256 of what the link holds.
  token_hash TEXT NOT NULL,
  expires_ts INTEGER NOT NULL,
  -- 0 until the link was used.
  validated_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX email_sessions_by_client ON email_sessions (address, client_secret, purpose);
CREATE INDEX email_sessions_by_expiry ON email_sessions (expires_ts);
