-- What events are found by in a message search: the distinct tokens of their text (matrix/search), parted by spaces, by
-- the event's number. Written by cursors ('search', 'search_history'), never with the event.
CREATE TABLE search_documents (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  tokens TEXT NOT NULL
);
-- Beside its words a text has a token for its room; words hold letters and digits, so † begins no word.
-- [sqlite]
CREATE VIRTUAL TABLE search_index USING fts5(
  tokens, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
);
-- What is deleted leaves the index itself, at once.
INSERT INTO search_index (search_index, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_document_added AFTER INSERT ON search_documents BEGIN
  INSERT INTO search_index (rowid, tokens) VALUES (new.event_nid, new.tokens || ' †r' || new.room_nid);
END;
CREATE TRIGGER search_document_deleted AFTER DELETE ON search_documents BEGIN
  INSERT INTO search_index (search_index, rowid, tokens)
  VALUES ('delete', old.event_nid, old.tokens || ' †r' || old.room_nid);
END;
-- [postgres]
-- And one for the run of numbers that it is of, so that the newest are found without reading all that match.
CREATE INDEX search_documents_by_token ON search_documents USING GIN (
  array_to_tsvector(string_to_array(
    tokens || ' †r' || CAST(room_nid AS TEXT) || ' †n' || CAST(event_nid / 8192 AS TEXT), ' '
  ))
) WITH (gin_pending_list_limit = 512);
