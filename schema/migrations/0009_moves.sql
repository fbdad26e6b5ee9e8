-- A file that comes to one folder may be one that left another: the assets that look like it are found without reading all.

CREATE INDEX asset_file ON asset (size, mtime_ns);
