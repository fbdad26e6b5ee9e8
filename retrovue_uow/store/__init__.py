"""SQLite: database, unit of work, operation frame, claims, queries. Knows no media."""
