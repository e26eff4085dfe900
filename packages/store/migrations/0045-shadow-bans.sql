-- 1: what this account says reaches nobody, and it is answered as if it did.
ALTER TABLE users ADD COLUMN is_shadow_banned INTEGER NOT NULL DEFAULT 0;

-- Who may replace their cross-signing keys without giving their password, since an administrator said so.
CREATE TABLE cross_signing_grants (
  user_id TEXT PRIMARY KEY,
  -- Milliseconds; worth nothing after that.
  until_ts INTEGER NOT NULL
) WITHOUT ROWID;
