"""A retro-TV station's media catalogue in one SQLite file, changed by whole, validated operations only."""
