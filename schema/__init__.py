"""The catalogue's SQL: `migrations/` shapes it, `rules/` judges it, `views/` shows it. Read with `importlib.resources`."""
