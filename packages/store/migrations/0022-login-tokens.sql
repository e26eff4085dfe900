-- Tokens with which somebody logs another client of theirs in, once.
CREATE TABLE login_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  expires_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_tokens_user ON login_tokens (user_id, token_hash);
CREATE INDEX login_tokens_expiry ON login_tokens (expires_ts);
