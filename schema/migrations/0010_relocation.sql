-- A path mapping may change: a library that moved keeps its assets. Where a mapping changes, the rules look at all of its assets.

DROP TRIGGER path_mapping_stays;
