-- Two files that hold the first and the second part of a movie or episode are no versions of each other.

ALTER TABLE asset ADD COLUMN part INTEGER CHECK (part >= 1);    -- NULL: the whole
