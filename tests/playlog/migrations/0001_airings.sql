-- What was on the air. An asset that has aired stays.

CREATE TABLE playlog_airing (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id    TEXT    NOT NULL REFERENCES asset (id),
    aired_at    TEXT    NOT NULL,                                   -- UTC
    duration_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX playlog_airing_asset ON playlog_airing (asset_id);
