-- What every ingest of a collection leaves out, as if it were given with each.

CREATE TABLE collection_exclude (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    pattern       TEXT NOT NULL CHECK (trim(pattern) <> ''),        -- a glob below the mapped roots
    UNIQUE (collection_id, pattern)
) STRICT;
