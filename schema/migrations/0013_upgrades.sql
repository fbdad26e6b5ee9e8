-- What becomes of an approval where a new file shows what a missing one showed: the new one takes it over, or the operator is asked.

ALTER TABLE collection ADD COLUMN upgrades TEXT NOT NULL DEFAULT 'ask' CHECK (upgrades IN ('ask', 'keep-approval'));
