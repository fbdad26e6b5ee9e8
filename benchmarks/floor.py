"""The floor: the same work in bare APSW, by the best SQL that we know, with no savepoints, checks or capture."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

import apsw
import attrs

from retrovue_uow import AssetDraft

TABLES = ("title", "season", "episode", "asset", "episode_asset", "asset_metadata")
"""Parents first."""
Row = tuple[str | int | float | bytes | None, ...]


@attrs.frozen
class Work:
    """What is to be written, and where it belongs."""

    collection_id: str
    mapping_id: int
    enrichers: str
    drafts: Sequence[AssetDraft]


def connect(path: str) -> apsw.Connection:
    """A connection with the settings of a catalogue's."""
    connection = apsw.Connection(path)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        "cache_size = -32768",
        "recursive_triggers = 1",
        "synchronous = FULL",
        "temp_store = FILE",
        "journal_mode = WAL",
        "journal_size_limit = 8388608",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def ingest(connection: apsw.Connection, work: Work) -> None:
    """New episodes in a loop: identifiers and lookups in Python, each row by the prepared statement of its table."""
    connection.execute("BEGIN IMMEDIATE")
    for table, row in _rows(work):
        connection.execute(_INSERTS[table], row)
    connection.execute("COMMIT")


def ingest_by_table(connection: apsw.Connection, work: Work) -> None:
    """The same, the rows collected and written a table at a time: not a loop any more that could stop at an asset."""
    rows: dict[str, list[Row]] = {table: [] for table in TABLES}
    for table, row in _rows(work):
        rows[table].append(row)
    with_transaction(connection, {_INSERTS[table]: rows[table] for table in TABLES})


def _rows(work: Work) -> Iterator[tuple[str, Row]]:
    """Every row of the work with its table, parents before children."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    ids = _ids()
    titles: dict[tuple[str, int | None], str] = {}
    seasons: dict[tuple[str, int | None], int] = {}
    episodes: dict[tuple[int, int], int] = {}
    for draft in work.drafts:
        title = titles.get((draft.title or "", draft.year))
        if title is None:
            title = titles[draft.title or "", draft.year] = next(ids)
            yield "title", (title, "show", draft.title, draft.year, now)
        season = seasons.get((title, draft.season_number))
        if season is None:
            season = seasons[title, draft.season_number] = len(seasons) + 1
            yield "season", (season, title, draft.season_number)
        asset = next(ids)
        yield "asset", _asset(asset, draft, work, now)
        for number in draft.episode_numbers:
            episode = episodes.get((season, number))
            if episode is None:
                episode = episodes[season, number] = len(episodes) + 1
                yield "episode", (episode, season, number, draft.episode_title)
            yield "episode_asset", (episode, asset)
        for domain, document in draft.metadata.items():
            yield "asset_metadata", (asset, domain, json.dumps(document))


def _ids() -> Iterator[str]:
    """Ordered texts of 36 characters; unique is all that a floor asks of them."""
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    return (f"{stamp[:8]}-{stamp[8:]}-7000-8000-{number:012x}" for number in count())


def _asset(id_: str, draft: AssetDraft, work: Work, now: str) -> Row:
    return (
        id_,
        work.collection_id,
        work.mapping_id,
        draft.source_path,
        draft.file_path,
        draft.kind,
        "new" if draft.duration_ms is None else "ready",
        draft.size,
        draft.mtime_ns,
        work.enrichers,
        draft.duration_ms,
        draft.container,
        draft.video_codec,
        draft.audio_codec,
        draft.width,
        draft.height,
        now,
        now,
    )


_INSERTS = {
    "title": "INSERT INTO title (id, kind, name, year, created_at) VALUES (?, ?, ?, ?, ?)",
    "season": "INSERT INTO season (id, title_id, number) VALUES (?, ?, ?)",
    "episode": "INSERT INTO episode (id, season_id, number, name) VALUES (?, ?, ?, ?)",
    "asset": """
        INSERT INTO asset (id, collection_id, path_mapping_id, canonical_key, file_path, kind, state, approved,
                           size, mtime_ns, sidecars, enrichers, duration_ms, container, video_codec, audio_codec,
                           width, height, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """,
    "episode_asset": "INSERT INTO episode_asset (episode_id, asset_id) VALUES (?, ?)",
    "asset_metadata": "INSERT INTO asset_metadata (asset_id, domain, document) VALUES (?, ?, ?)",
}


def with_transaction(connection: apsw.Connection, inserts: dict[str, list[Row]]) -> None:
    """Rows by their statement, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in inserts.items():
        connection.executemany(statement, rows)
    connection.execute("COMMIT")


def relocate(connection: apsw.Connection, old: str, new: str) -> int:
    """Walk a new folder, and let mapping and assets follow: how many files are there."""
    there = len(walk(new))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE path_mapping SET source_path = ?1, local_path = ?1", (new,))
    connection.execute(
        """
        UPDATE asset
           SET canonical_key = ?2 || substr(canonical_key, length(?1) + 1),
               file_path = ?2 || substr(file_path, length(?1) + 1)
        """,
        (old, new),
    )
    connection.execute("COMMIT")
    return there


def wipe(connection: apsw.Connection, collection_id: str) -> None:
    """Children first, then whatever holds nothing up; what a whole table cannot have otherwise is not looked up by key."""
    chosen = "(SELECT id FROM asset WHERE collection_id = ?)"
    connection.execute("BEGIN IMMEDIATE")
    for table in ("episode_asset", "movie_asset", "marker", "asset_metadata"):
        connection.execute(f"DELETE FROM {table} WHERE asset_id IN {chosen}", (collection_id,))  # noqa: S608  named above
    connection.execute("DELETE FROM asset WHERE collection_id = ?", (collection_id,))
    connection.execute(
        "DELETE FROM episode WHERE NOT EXISTS (SELECT 1 FROM episode_asset WHERE episode_asset.episode_id = episode.id)"
    )
    connection.execute("DELETE FROM season WHERE NOT EXISTS (SELECT 1 FROM episode WHERE episode.season_id = season.id)")
    connection.execute(
        """
        DELETE FROM title
         WHERE NOT EXISTS (SELECT 1 FROM season WHERE season.title_id = title.id)
           AND NOT EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.title_id = title.id)
        """
    )
    connection.execute("COMMIT")


def stored(connection: apsw.Connection) -> dict[str, list[Row]]:
    """Every row of the tables that a wipe empties, by the statement that puts it back."""
    rows: dict[str, list[Row]] = {}
    for table in TABLES:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608  named above
        found = cursor.fetchall()
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        places = ", ".join("?" * len(columns))
        rows[f"INSERT INTO {table} ({', '.join(map(str, columns))}) VALUES ({places})"] = found  # noqa: S608  as above
    return rows


def walk(folder: str) -> list[tuple[str, int, int]]:
    """Path, size and mtime of every file below a folder."""
    found: list[tuple[str, int, int]] = []
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    status = entry.stat()
                    found.append((entry.path, status.st_size, status.st_mtime_ns))
    return found
