-- What is to be on the air. A plan goes with its asset.
CREATE TABLE playlog_slot (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id  TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    starts_at TEXT NOT NULL CHECK (starts_at = strftime('%Y-%m-%dT%H:%M:%fZ', starts_at)),        -- UTC
    ends_at   TEXT NOT NULL CHECK (ends_at > starts_at)
) STRICT;

CREATE INDEX playlog_slot_asset ON playlog_slot (asset_id);
CREATE INDEX playlog_slot_time ON playlog_slot (starts_at);
