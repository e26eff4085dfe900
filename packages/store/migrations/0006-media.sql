-- What people uploaded. The bytes are blobs under their hash; equal uploads share one.
CREATE TABLE media (
  media_id TEXT PRIMARY KEY,
  uploader TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  -- Empty until the content has come (ids can be made before it).
  hash TEXT NOT NULL,
  size INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  -- Empty: the upload had no name.
  filename TEXT NOT NULL,
  -- Until when the content may still come; 0 once it has.
  expires_ts INTEGER NOT NULL,
  -- 1: also served without an account, by the paths that older clients use.
  is_open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX media_by_hash ON media (hash);
CREATE INDEX media_by_uploader ON media (uploader, created_ts);

-- Thumbnails made of a blob; variant: how, such as scale-320x240.
CREATE TABLE media_thumbnails (
  source_hash TEXT NOT NULL,
  variant TEXT NOT NULL,
  hash TEXT NOT NULL,
  size INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  PRIMARY KEY (source_hash, variant)
) WITHOUT ROWID;
CREATE INDEX media_thumbnails_by_hash ON media_thumbnails (hash);
