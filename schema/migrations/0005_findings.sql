-- What an ingest found out about the file of an asset: that it is broken, or something that an operator should know.

CREATE TABLE finding (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    asset_id TEXT NOT NULL REFERENCES asset (id) ON DELETE CASCADE,
    enricher TEXT NOT NULL CHECK (enricher <> ''),                  -- type of the one that found it; importer, draft, twin
    severity TEXT NOT NULL CHECK (severity IN ('broken', 'warning')),
    message  TEXT NOT NULL CHECK (trim(message) <> '' AND length(message) <= 1000),
    UNIQUE (asset_id, enricher, message)
) STRICT;

CREATE INDEX finding_twin ON finding (asset_id) WHERE enricher = 'twin';    -- each ingest looks whether they are still there
