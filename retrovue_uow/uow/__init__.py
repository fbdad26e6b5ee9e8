"""The unit of work: one transaction on one SQLite file, whole or not at all. Knows no table of ours."""
