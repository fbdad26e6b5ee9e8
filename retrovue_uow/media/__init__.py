"""The outside world: importers, enrichers, file names, sidecars, probing. Never sees the database."""
