-- The station's own tables. What the file remembers of each extension, so that its rules judge and its rows are undone also
-- where its code is not at hand.

CREATE TABLE extension (
    name    TEXT PRIMARY KEY NOT NULL CHECK (name <> ''),           -- all that it makes is named so, and `_`
    version INTEGER NOT NULL CHECK (version >= 0),                  -- how many of its migrations the file has had
    record  TEXT NOT NULL CHECK (json_valid(record) AND json_type(record) = 'object'),  -- what it made, its rules and views
    digest  TEXT NOT NULL                                           -- SHA-256 of the record
) STRICT;

ALTER TABLE unit_of_work ADD COLUMN extensions TEXT CHECK (json_valid(extensions));     -- versions of those whose rows it changed
