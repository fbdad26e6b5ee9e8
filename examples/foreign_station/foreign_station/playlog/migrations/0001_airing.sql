-- What was on the air. An asset that has aired stays in the catalogue: the reference keeps it.
CREATE TABLE playlog_airing (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id    TEXT    NOT NULL REFERENCES asset (id),
    aired_at    TEXT    NOT NULL CHECK (aired_at = strftime('%Y-%m-%dT%H:%M:%fZ', aired_at)),     -- UTC
    duration_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX playlog_airing_asset ON playlog_airing (asset_id);
