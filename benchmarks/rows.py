"""Whether two files hold the same catalogue: every row without identifiers and times, by what it means."""

from __future__ import annotations

import apsw

from retrovue_uow.store.journal import JOURNAL_TABLES

_MEANINGS = {
    "title": "SELECT kind, name, year FROM title",
    "season": "SELECT title.kind, title.name, title.year, season.number FROM season JOIN title ON title.id = season.title_id",
    "episode": """
        SELECT title.kind, title.name, title.year, season.number, episode.number, episode.name
          FROM episode
          JOIN season ON season.id = episode.season_id
          JOIN title ON title.id = season.title_id
    """,
    "asset": """
        SELECT collection.name, path_mapping.source_path, canonical_key, file_path, kind, state, approved, size, mtime_ns,
               sidecars, enrichers, duration_ms, container, video_codec, audio_codec, width, height, missing_since
          FROM asset
          JOIN collection ON collection.id = asset.collection_id
          JOIN path_mapping ON path_mapping.id = asset.path_mapping_id
    """,
    "episode_asset": """
        SELECT asset.canonical_key, title.name, title.year, season.number, episode.number
          FROM episode_asset
          JOIN asset ON asset.id = episode_asset.asset_id
          JOIN episode ON episode.id = episode_asset.episode_id
          JOIN season ON season.id = episode.season_id
          JOIN title ON title.id = season.title_id
    """,
    "movie_asset": """
        SELECT asset.canonical_key, title.name, title.year
          FROM movie_asset
          JOIN asset ON asset.id = movie_asset.asset_id
          JOIN title ON title.id = movie_asset.title_id
    """,
    "marker": """
        SELECT asset.canonical_key, marker.kind, start_ms, end_ms, name
          FROM marker
          JOIN asset ON asset.id = marker.asset_id
    """,
    "asset_metadata": """
        SELECT asset.canonical_key, domain, json(document)
          FROM asset_metadata
          JOIN asset ON asset.id = asset_metadata.asset_id
    """,
}


class DifferentRowsError(Exception):
    """Two contenders did not do the same work, so that their times cannot be compared."""


def validate_same_rows(path: str, other: str, *, expect_assets: int) -> None:
    """Both files hold the same rows, so many assets among them. No other library may have them open in this process."""
    for table, meaning in _MEANINGS.items():
        found, others = _rows(path, table, meaning), _rows(other, table, meaning)
        if found != others:
            only = next(iter(set(found) ^ set(others)), "the same ones, some more often")
            raise DifferentRowsError(f"{len(found)} and {len(others)} rows in {table}; only one side has {only}")
        if table == "asset" and len(found) != expect_assets:
            raise DifferentRowsError(f"{len(found)} assets instead of {expect_assets}")


def _rows(path: str, table: str, meaning: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608  named above
        rows = connection.execute(meaning).fetchall()
    finally:
        connection.close()
    if len(rows) != count:
        raise DifferentRowsError(f"{table} has rows that belong to nothing")
    return sorted(rows, key=repr)


def all_rows(path: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a catalogue but the journal's, as it stands there."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            str(table): connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  the schema's names
            for (table,) in tables
            if table not in JOURNAL_TABLES and table != "sqlite_sequence"
        }
    finally:
        connection.close()
