"""The catalogue's own tables: migrations, operation frame, claims, journal, rules, one module of SQL per subject."""
