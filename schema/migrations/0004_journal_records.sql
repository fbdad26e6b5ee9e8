-- How large a record of changes is once it is unpacked, kept beside it. Where it is known, the digest is of the unit's id and
-- the changeset; where it is not, the record is from before, and its digest is of the changeset alone.

ALTER TABLE unit_of_work ADD COLUMN unpacked_bytes INTEGER CHECK (unpacked_bytes >= 0);
