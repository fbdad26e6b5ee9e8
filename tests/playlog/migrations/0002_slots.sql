-- What is planned goes with its asset. How often each asset was planned is counted by a trigger.

CREATE TABLE playlog_slot (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id  TEXT    NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER NOT NULL,
    airing_id INTEGER REFERENCES playlog_airing (id) ON DELETE SET NULL
) STRICT;

CREATE TABLE playlog_count (
    asset_id TEXT    PRIMARY KEY NOT NULL,                          -- also of an asset that went
    planned  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER playlog_slot_is_counted AFTER INSERT ON playlog_slot
BEGIN
    INSERT INTO playlog_count (asset_id, planned)
    VALUES (new.asset_id, 1)
        ON CONFLICT (asset_id) DO UPDATE SET planned = planned + 1;
END;
