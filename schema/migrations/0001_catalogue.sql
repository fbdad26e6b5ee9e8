-- The catalogue: what a station has, and the journal of what changed it.
-- Integer keys are never given out again (AUTOINCREMENT): what was deleted can come back under its own.
-- Times are UTC text (2026-01-31T09:05:07.123456Z), durations milliseconds, sizes bytes, mtimes nanoseconds since the epoch.

CREATE TABLE source (
    id         TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    name       TEXT NOT NULL CHECK (trim(name) <> ''),
    type       TEXT NOT NULL CHECK (trim(type) <> ''),              -- importer type
    config     TEXT NOT NULL CHECK (json_valid(config) AND json_type(config) = 'object'),
    created_at TEXT NOT NULL,                                       -- UTC
    UNIQUE (name)
) STRICT;

CREATE TABLE collection (
    id          TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    source_id   TEXT NOT NULL REFERENCES source (id),
    name        TEXT NOT NULL CHECK (trim(name) <> ''),
    external_id TEXT CHECK (trim(external_id) <> ''),               -- the source's own name for it
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at  TEXT NOT NULL,                                      -- UTC
    UNIQUE (source_id, name),
    UNIQUE (source_id, external_id)
) STRICT;

CREATE TABLE path_mapping (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    source_path   TEXT NOT NULL CHECK (source_path <> ''),          -- canonical, no slash at the end
    local_path    TEXT NOT NULL CHECK (substr(local_path, 1, 1) = '/'),
    UNIQUE (collection_id, source_path)
) STRICT;

-- Mappings do not change, they are added and removed: so an asset that was below its mapping stays there.
CREATE TRIGGER path_mapping_stays BEFORE UPDATE ON path_mapping
BEGIN
    SELECT raise(ABORT, 'a path mapping does not change: remove it and add another');
END;

CREATE TABLE collection_enricher (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id TEXT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    type          TEXT NOT NULL CHECK (trim(type) <> ''),
    config        TEXT NOT NULL CHECK (json_valid(config) AND json_type(config) = 'object'),
    priority      INTEGER NOT NULL,                                 -- lower runs first
    UNIQUE (collection_id, type)
) STRICT;

CREATE TABLE title (
    id         TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    kind       TEXT NOT NULL CHECK (kind IN ('show', 'movie')),
    name       TEXT NOT NULL CHECK (trim(name) <> '' AND length(name) <= 1000),
    year       INTEGER CHECK (year > 0),                            -- first year; NULL: not known
    created_at TEXT NOT NULL                                        -- UTC
) STRICT;

CREATE UNIQUE INDEX title_identity ON title (kind, name, ifnull(year, 0));

CREATE TABLE season (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    title_id TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
    number   INTEGER NOT NULL CHECK (number >= 0),                  -- 0: specials
    UNIQUE (title_id, number)
) STRICT;

CREATE TABLE episode (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    season_id INTEGER NOT NULL REFERENCES season (id) ON DELETE CASCADE,
    number    INTEGER NOT NULL CHECK (number >= 0),
    name      TEXT CHECK (trim(name) <> '' AND length(name) <= 1000),
    UNIQUE (season_id, number)
) STRICT;

CREATE TABLE asset (
    id              TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    collection_id   TEXT NOT NULL REFERENCES collection (id),
    path_mapping_id INTEGER NOT NULL REFERENCES path_mapping (id),
    canonical_key   TEXT NOT NULL CHECK (canonical_key <> ''),      -- the path as the source reports it, normalised
    file_path       TEXT NOT NULL CHECK (substr(file_path, 1, 1) = '/'),
    kind            TEXT NOT NULL CHECK (kind IN ('episode', 'movie', 'commercial', 'bumper', 'promo', 'psa',
                                                  'station_id', 'trailer', 'filler', 'other')),
    state           TEXT NOT NULL CHECK (state IN ('new', 'ready', 'retired')),
    approved        INTEGER NOT NULL CHECK (approved IN (0, 1)),    -- by the operator only
    size            INTEGER CHECK (size >= 0),                      -- bytes
    mtime_ns        INTEGER,                                        -- since the epoch
    sidecars        TEXT NOT NULL,                                  -- fingerprint of their names, sizes and mtimes
    enrichers       TEXT NOT NULL,                                  -- fingerprint of types, configurations, versions
    duration_ms     INTEGER CHECK (duration_ms > 0),
    container       TEXT,
    video_codec     TEXT,
    audio_codec     TEXT,
    width           INTEGER CHECK (width > 0),                      -- pixels
    height          INTEGER CHECK (height > 0),                     -- pixels
    missing_since   TEXT,                                           -- UTC; NULL: seen by the last full ingest
    created_at      TEXT NOT NULL,                                  -- UTC
    updated_at      TEXT NOT NULL,                                  -- UTC
    UNIQUE (collection_id, canonical_key),
    CONSTRAINT approved_needs_ready CHECK (approved = 0 OR state = 'ready'),
    CONSTRAINT ready_needs_duration CHECK (state <> 'ready' OR duration_ms IS NOT NULL)
) STRICT;

CREATE INDEX asset_path_mapping ON asset (path_mapping_id);

-- With recursive_triggers, this stops an INSERT OR REPLACE, too.
CREATE TRIGGER path_mapping_in_use BEFORE DELETE ON path_mapping
WHEN EXISTS (SELECT 1 FROM asset WHERE asset.path_mapping_id = old.id)
BEGIN
    SELECT raise(ABORT, 'assets came through the path mapping');
END;

CREATE TABLE episode_asset (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    episode_id INTEGER NOT NULL REFERENCES episode (id) ON DELETE CASCADE,
    asset_id   TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    UNIQUE (asset_id, episode_id)
) STRICT;

CREATE INDEX episode_asset_episode ON episode_asset (episode_id);

CREATE TABLE movie_asset (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    title_id TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
    asset_id TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    UNIQUE (asset_id)
) STRICT;

CREATE INDEX movie_asset_title ON movie_asset (title_id);

CREATE TABLE marker (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL CHECK (kind IN ('chapter', 'avail', 'intro', 'outro')),
    start_ms INTEGER NOT NULL CHECK (start_ms >= 0),                -- from the start of the file
    end_ms   INTEGER CHECK (end_ms > start_ms),                     -- NULL: a point in time
    name     TEXT,
    UNIQUE (asset_id, kind, start_ms)
) STRICT;

CREATE TABLE asset_metadata (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    domain   TEXT NOT NULL CHECK (trim(domain) <> ''),              -- editorial, probed, sidecar, …
    document TEXT NOT NULL CHECK (json_valid(document) AND json_type(document) = 'object'),
    UNIQUE (asset_id, domain)
) STRICT;

-- The journal. Its rows are written with the change that they tell of, in the same transaction.

CREATE TABLE unit_of_work (
    id              TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    started_at      TEXT NOT NULL,                                  -- UTC
    committed_at    TEXT NOT NULL,                                  -- UTC, just before the COMMIT
    pid             INTEGER NOT NULL,
    library_version TEXT NOT NULL,
    schema_version  INTEGER NOT NULL,
    counts          TEXT CHECK (json_valid(counts)),                -- rows per table and kind of change
    digest          TEXT,                                           -- of the changeset
    changeset       BLOB                                            -- compressed; NULL: not captured, or expired
) STRICT;

CREATE TABLE operation (
    id          INTEGER PRIMARY KEY,
    unit_id     TEXT NOT NULL REFERENCES unit_of_work (id),
    name        TEXT NOT NULL,
    arguments   TEXT NOT NULL CHECK (json_valid(arguments) AND json_type(arguments) = 'object'),
    result      TEXT NOT NULL CHECK (json_valid(result)),
    started_at  TEXT NOT NULL,                                      -- UTC
    duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0)
) STRICT;

CREATE INDEX operation_unit ON operation (unit_id);
