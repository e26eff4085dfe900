-- What pages that people linked to said of themselves. One row an address and language, replaced when it is old.
CREATE TABLE url_previews (
  url TEXT NOT NULL,
  -- As asked of the page (Accept-Language).
  language TEXT NOT NULL,
  -- Until when it is answered without fetching the page anew.
  expires_ts INTEGER NOT NULL,
  -- The answer, a JSON object.
  body TEXT NOT NULL,
  -- The picture in it, a row of media; empty for none.
  media_id TEXT NOT NULL,
  PRIMARY KEY (url, language)
) WITHOUT ROWID;
CREATE INDEX url_previews_by_expiry ON url_previews (expires_ts);

-- Pictures of previews: media that goes when nobody is shown it any more.
CREATE TABLE url_preview_images (
  media_id TEXT PRIMARY KEY,
  forget_ts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX url_preview_images_by_time ON url_preview_images (forget_ts);
