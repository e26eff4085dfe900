-- Public keys of other servers, each with the signed document in which its owner published it: what a notary answers.
CREATE TABLE server_keys (
  server_name TEXT NOT NULL,
  key_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  -- The lesser of what was published and seven days from when it was fetched.
  valid_until_ts INTEGER NOT NULL,
  -- When its owner stopped using it; 0: it is in use.
  expired_ts INTEGER NOT NULL,
  fetched_ts INTEGER NOT NULL,
  -- Who told us; empty: its owner.
  notary TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (server_name, key_id)
);

-- Servers that did not answer when they were last asked; one that answers has no row.
CREATE TABLE destinations (
  server_name TEXT PRIMARY KEY,
  failing_since_ts INTEGER NOT NULL,
  retry_ts INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  last_error TEXT NOT NULL
);

-- Tokens with which somebody proves to a third party who they are, and nothing else.
CREATE TABLE openid_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  expires_ts INTEGER NOT NULL
);
CREATE INDEX openid_tokens_user ON openid_tokens (user_id, token_hash);
CREATE INDEX openid_tokens_expiry ON openid_tokens (expires_ts);
