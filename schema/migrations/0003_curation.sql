-- What the operator decided, which outranks what file names tell. It is kept by path and by spelling, not by row, so that it
-- is still there when assets or titles went and came back.

CREATE TABLE assignment (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id   TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    canonical_key   TEXT NOT NULL CHECK (canonical_key <> ''),      -- of the asset, which need not be there
    kind            TEXT NOT NULL CHECK (kind IN ('episode', 'movie', 'commercial', 'bumper', 'promo', 'psa',
                                                  'station_id', 'trailer', 'filler', 'other')),
    title           TEXT CHECK (trim(title) <> '' AND length(title) <= 1000),
    year            INTEGER CHECK (year > 0),
    season_number   INTEGER CHECK (season_number >= 0),
    episode_numbers TEXT NOT NULL CHECK (json_valid(episode_numbers) AND json_type(episode_numbers) = 'array'),
    episode_title   TEXT CHECK (trim(episode_title) <> '' AND length(episode_title) <= 1000),
    assigned_at     TEXT NOT NULL,                                  -- UTC
    UNIQUE (collection_id, canonical_key),
    CHECK ((kind IN ('episode', 'movie')) = (title IS NOT NULL)),
    CHECK ((kind = 'episode') = (season_number IS NOT NULL))
) STRICT;

CREATE TABLE retirement (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    canonical_key TEXT NOT NULL CHECK (canonical_key <> ''),        -- of the asset, which need not be there
    retired_at    TEXT NOT NULL,                                    -- UTC
    UNIQUE (collection_id, canonical_key)
) STRICT;

CREATE TABLE title_spelling (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL CHECK (kind IN ('show', 'movie')),
    spelled      TEXT NOT NULL CHECK (trim(spelled) <> ''),         -- what files call it
    spelled_year INTEGER CHECK (spelled_year > 0),
    name         TEXT NOT NULL CHECK (trim(name) <> ''),            -- what the station calls it
    year         INTEGER CHECK (year > 0)
) STRICT;

CREATE UNIQUE INDEX title_spelling_identity ON title_spelling (kind, spelled, ifnull(spelled_year, 0));
