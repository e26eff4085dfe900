-- People of this server, their logins, and what they show of themselves.

CREATE TABLE users (
  user_id TEXT PRIMARY KEY,
  -- argon2id in PHC form; empty for those who have no password.
  password_hash TEXT NOT NULL,
  is_admin INTEGER NOT NULL,
  is_guest INTEGER NOT NULL,
  -- The appservice that registered the user, or empty.
  appservice_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  -- Milliseconds, 0 while the account is in use.
  deactivated_ts INTEGER NOT NULL,
  -- 1: who deactivated the account wanted its content to be erased; newcomers see it redacted.
  is_erased INTEGER NOT NULL,
  -- 0 or 1 each. https://spec.matrix.org/v1.19/client-server-api/#account-moderation
  is_locked INTEGER NOT NULL,
  is_suspended INTEGER NOT NULL,
  -- JSON: versions of the documents agreed to by id, or empty.
  terms_accepted TEXT NOT NULL
) WITHOUT ROWID;

-- One row per profile field: displayname, avatar_url, and extended ones. value is JSON.
CREATE TABLE profiles (
  user_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (user_id, field)
) WITHOUT ROWID;

CREATE TABLE devices (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  display_name TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  last_seen_ts INTEGER NOT NULL,
  last_seen_ip TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;

-- Tokens are kept as SHA-256 (unpadded base64url): who reads the database can't act as anybody.
-- A device has one line of tokens: a new login on it ends the old one.
CREATE TABLE access_tokens (
  -- Random: a number is never given to a second token.
  nid INTEGER PRIMARY KEY,
  token_hash TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  -- 0: never. Expired tokens are kept for a day, so that their clients learn that they may come back.
  expires_ts INTEGER NOT NULL,
  -- Hash of the refresh token that was exchanged for this one, until this one is first used; then empty.
  unconfirmed TEXT NOT NULL
);
CREATE INDEX access_tokens_by_device ON access_tokens (user_id, device_id);

CREATE TABLE refresh_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  -- 1 once what it was exchanged for has been used: using it again means that it was stolen.
  is_spent INTEGER NOT NULL,
  -- The refresh token it was exchanged for, or empty.
  successor_hash TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_device ON refresh_tokens (user_id, device_id);

-- Administrators hand these out. uses_allowed -1: any number; expires_ts 0: never.
CREATE TABLE registration_tokens (
  token TEXT PRIMARY KEY,
  uses_allowed INTEGER NOT NULL,
  uses_completed INTEGER NOT NULL,
  created_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL,
  -- 1: whoever registers with it becomes an administrator (the link of the first start).
  makes_admin INTEGER NOT NULL
) WITHOUT ROWID;

-- What has still to be done in each room of a user: job is displayname or avatar_url (show the new value) or
-- leave (the account was deactivated). version tells a job from a later one of the same name.
CREATE TABLE user_jobs (
  user_id TEXT NOT NULL,
  job TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (user_id, job)
) WITHOUT ROWID;
