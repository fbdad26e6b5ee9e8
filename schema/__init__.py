"""The catalogue's SQL: `migrations/` shapes it, `rules/` judges it. Read with `importlib.resources`."""
