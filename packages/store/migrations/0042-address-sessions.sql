-- Somebody says that they receive what is sent to an address of any kind, and proves it by what was sent there.
CREATE TABLE address_sessions (
  sid TEXT PRIMARY KEY,
  -- email or msisdn, as in user_threepids.
  medium TEXT NOT NULL,
  -- As in user_threepids: in small letters, or the digits of a telephone number with its country's, without a plus.
  address TEXT NOT NULL,
  client_secret TEXT NOT NULL,
  -- register, add or reset: what it can be used for.
  purpose TEXT NOT NULL,
  -- Who adds the address; empty otherwise.
  user_id TEXT NOT NULL,
  send_attempt INTEGER NOT NULL,
  -- SHA-256 of what was sent: of what a link holds, or of a code.
  token_hash TEXT NOT NULL,
  -- How often a code was guessed.
  guesses INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL,
  -- 0 until it was proven.
  validated_ts INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO address_sessions
    (sid, medium, address, client_secret, purpose, user_id, send_attempt, token_hash, guesses, expires_ts, validated_ts)
  SELECT sid, 'email', address, client_secret, purpose, user_id, send_attempt, token_hash, 0, expires_ts, validated_ts
  FROM email_sessions;
DROP TABLE email_sessions;
CREATE UNIQUE INDEX address_sessions_by_client ON address_sessions (medium, address, client_secret, purpose);
CREATE INDEX address_sessions_by_expiry ON address_sessions (expires_ts);
CREATE INDEX address_sessions_of_user ON address_sessions (user_id, sid);
