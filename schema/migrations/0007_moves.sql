-- A file that comes to one folder may be one that left another: the assets of its size are found without reading all.

CREATE INDEX asset_size ON asset (size);
