-- Which of several files that show the same the operator wants on the air, kept by path like the other decisions. Of two that
-- are preferred, such as one that was away when the other was preferred, the higher id is the later word.

CREATE TABLE preference (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    canonical_key TEXT NOT NULL CHECK (canonical_key <> ''),        -- of the asset, which need not be there
    preferred_at  TEXT NOT NULL,                                    -- UTC
    UNIQUE (collection_id, canonical_key)
) STRICT;
