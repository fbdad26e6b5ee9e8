-- Titles by their name in whatever case. SQLite folds ASCII alone: NULL stands for a name that holds more than that.

CREATE INDEX title_ascii_name ON title (iif(length(name) = length(CAST(name AS BLOB)), lower(name), NULL));
