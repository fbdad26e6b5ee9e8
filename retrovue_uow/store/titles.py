"""Titles, seasons and episodes, and the assets that show them: queries and changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from retrovue_uow.model import Title, TitleKind, folded, printed_title
from retrovue_uow.store.ids import as_stored, new_id
from retrovue_uow.uow.database import Database, Row, Value

_PARENTS_FIRST = ("title", "season", "episode", "asset", "episode_asset", "movie_asset", "marker", "asset_metadata")

_COUNTED = """
SELECT title.id, title.kind, title.name, title.year,
       (SELECT count(*) FROM season WHERE season.title_id = title.id),
       (SELECT count(*)
          FROM season
          JOIN episode ON episode.season_id = season.id
         WHERE season.title_id = title.id),
       (SELECT count(*) FROM movie_asset WHERE movie_asset.title_id = title.id)
       + (SELECT count(DISTINCT episode_asset.asset_id)
            FROM season
            JOIN episode ON episode.season_id = season.id
            JOIN episode_asset ON episode_asset.episode_id = episode.id
           WHERE season.title_id = title.id)
  FROM title
"""


def titles(db: Database, kind: TitleKind | None = None) -> list[Title]:
    """Every title, or those of one kind, by name and year, with how much belongs to each."""
    of_kind = "" if kind is None else "WHERE title.kind = :kind"
    return [Title(*row) for row in db.execute(f"{_COUNTED} {of_kind} ORDER BY title.name, title.year", {"kind": kind})]


def title(db: Database, title_id: str) -> Title:
    """The title with this identifier, with how much belongs to it."""
    (row,) = db.execute(f"{_COUNTED} WHERE title.id = ?", (title_id,))
    return Title(*row)


def titles_called(db: Database, called: str) -> list[Title]:
    """The titles that are called so to the letter, found by their keys: by identifier, by name, or as printed. Uncounted."""
    id_ = as_stored(called)
    rows = db.execute(
        """
        SELECT id, kind, name, year
          FROM title
         WHERE id = ?
            OR (kind IN ('show', 'movie') AND name IN (?, ?))
        """,
        (id_, called, called.rpartition(" (")[0]),
    )
    found = [Title(*row) for row in rows]
    return [each for each in found if id_ == each.id or called in (each.name, printed_title(each.name, each.year))]


def titles_alike(db: Database, called: Iterable[str]) -> list[Title]:
    """The titles that are called so in whatever case and Unicode form: by identifier, by name, or as printed. Uncounted."""
    wanted = set(map(folded, called))
    names = wanted | {name.rpartition(" (")[0] for name in wanted}
    # SQLite folds ASCII only: names that hold more than that are all read.
    rows = db.execute(
        """
        SELECT id, kind, name, year
          FROM title
         WHERE id IN (SELECT value FROM json_each(?1))
            OR lower(name) IN (SELECT value FROM json_each(?1))
            OR length(name) <> octet_length(name)
         ORDER BY name, year
        """,
        (json.dumps(list(names)),),
    )
    found = [Title(*row) for row in rows]
    return [each for each in found if wanted & {each.id, folded(each.name), folded(printed_title(each.name, each.year))}]


def title_id(db: Database, kind: TitleKind, name: str, year: int | None) -> str | None:
    """Identifier of the title that is called exactly so."""
    rows = db.execute(
        """
        SELECT id
          FROM title
         WHERE kind = ?
           AND name = ?
           AND ifnull(year, 0) = ifnull(?, 0)
        """,
        (kind, name, year),
    )
    return str(rows[0][0]) if rows else None


class _Episode(NamedTuple):
    """An episode, as far as it is known."""

    id: int
    is_named: bool


class NewRows:
    """Rows to be added, by table: they are written a table at a time, by one statement each, parents first.

    Until they are written nobody else may add to these tables: integer keys that others refer to are counted here.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rows: dict[str, tuple[str, list[tuple[Value, ...]]]] = {}
        self._last_keys: dict[str, int] = {}

    def add(self, table: str, columns: str, *values: Value) -> None:
        """Keep a row for `write`; all of a table have the same columns."""
        if table not in self._rows:
            self._rows[table] = columns, []
        self._rows[table][1].append(values)

    def next_key(self, table: str) -> int:
        """An integer key that no row of the table has ever had."""
        if table not in self._last_keys:
            known = f"SELECT max(id) FROM {table} UNION ALL SELECT seq FROM sqlite_sequence WHERE name = ?"  # noqa: S608  ours
            self._last_keys[table] = max(key or 0 for (key,) in self._db.execute(known, (table,)))
        self._last_keys[table] += 1
        return self._last_keys[table]

    def write(self) -> None:
        """Add the rows, and keep none of them. Raises what `Database.executemany` raises."""
        rows = dict(self._rows)
        self.clear()
        for table in _PARENTS_FIRST:
            if table in rows:
                columns, of_table = rows[table]
                places = ", ".join("?" * len(of_table[0]))
                self._db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", of_table)  # noqa: S608  ours

    def clear(self) -> None:
        """Keep no row any longer."""
        self._rows.clear()
        self._last_keys.clear()


class Hierarchy:
    """Titles, seasons and episodes as a unit of work comes to know them: each is looked up once, or added.

    It believes what it has seen: let it live no longer than the savepoint in which it was made, and `forget` where something
    above an asset is removed. What it adds is there once `write` was called.

    Attributes:
        rows: What is to be written.
        added: Rows that had to be added, by table.
    """

    def __init__(self, db: Database) -> None:
        self.rows = NewRows(db)
        self.added: Counter[str] = Counter()
        self._db = db
        self._titles: dict[tuple[TitleKind, str, int | None], str] = {}
        self._seasons: dict[tuple[str, int], int] = {}
        self._episodes: dict[int, dict[int, _Episode]] = {}
        self._names: list[tuple[str, int]] = []
        self._alike: dict[tuple[TitleKind, str, int | None], str] | None = None
        self._assigned: set[Row] = set()

    def forget(self) -> None:
        """Believe nothing any longer; what was added still counts."""
        self._titles.clear()
        self._seasons.clear()
        self._episodes.clear()

    def take_back(self, added: Counter[str]) -> None:
        """Be as before a savepoint that was undone, when `added` was what had been added."""
        self.forget()
        self.rows.clear()
        self._names.clear()
        self._alike = None
        self.added = added

    def write(self) -> None:
        """Write what was added, and the names of episodes that had none."""
        self.rows.write()
        names, self._names = self._names, []
        if names:
            self._db.executemany("UPDATE episode SET name = ? WHERE id = ? AND name IS NULL", names)

    def title(self, kind: TitleKind, name: str, year: int | None, *, now: str) -> str:
        """Identifier of the title with this identity, or of the oldest that differs from it in case or Unicode form alone."""
        known = self._titles.get((kind, name, year))
        if known is None:
            found = title_id(self._db, kind, name, year) or self._found_alike(kind, name, year)
            known = self._titles[kind, name, year] = found or self._add_title(kind, name, year, now)
        return known

    def _found_alike(self, kind: TitleKind, name: str, year: int | None) -> str | None:
        """SQLite folds ASCII only, so the titles are read once, when the first one is missed by its exact name."""
        if self._alike is None:
            rows = self._db.execute("SELECT kind, name, year, id FROM title ORDER BY created_at DESC, id DESC")
            self._alike = {(kind_, folded(name_), year_): id_ for kind_, name_, year_, id_ in rows}
            self._assigned = set(
                self._db.execute("SELECT DISTINCT iif(kind = 'episode', 'show', kind), title, year FROM assignment")
            )
        if (kind, name, year) in self._assigned:
            return None  # what the operator says is taken to the letter
        found = self._alike.get((kind, folded(name), year))
        if found is None or self._db.execute("SELECT 1 FROM title WHERE id = ?", (found,)):
            return found
        return found if found in self._titles.values() else None  # one that is to be written, or that is gone

    def _add_title(self, kind: TitleKind, name: str, year: int | None, now: str) -> str:
        id_ = new_id()
        self.rows.add("title", "id, kind, name, year, created_at", id_, kind, name, year, now)
        self.added["title"] += 1
        if self._alike is not None:
            self._alike[kind, folded(name), year] = id_
        return id_

    def season(self, title_id: str, number: int) -> int:
        """Identifier of a season."""
        known = self._seasons.get((title_id, number))
        if known is None:
            rows = self._db.execute("SELECT id FROM season WHERE title_id = ? AND number = ?", (title_id, number))
            known = self._seasons[title_id, number] = int(rows[0][0]) if rows else self.rows.next_key("season")
            if not rows:
                self.rows.add("season", "id, title_id, number", known, title_id, number)
                self.added["season"] += 1
        return known

    def episode(self, season_id: int, number: int, name: str | None) -> int:
        """Identifier of an episode. An existing one only gets a name if it had none."""
        of_season = self._episodes.get(season_id)
        if of_season is None:
            rows = self._db.execute("SELECT number, id, name IS NOT NULL FROM episode WHERE season_id = ?", (season_id,))
            of_season = self._episodes[season_id] = {number_: _Episode(id_, bool(named)) for number_, id_, named in rows}
        known = of_season.get(number)
        if known is None:
            known = of_season[number] = _Episode(self.rows.next_key("episode"), name is not None)
            self.rows.add("episode", "id, season_id, number, name", known.id, season_id, number, name)
            self.added["episode"] += 1
        elif name is not None and not known.is_named:
            self._names.append((name, known.id))
            of_season[number] = _Episode(known.id, is_named=True)
        return known.id

    def show_episode(self, episode_id: int, asset_id: str) -> None:
        """Let an asset show an episode."""
        self.rows.add("episode_asset", "episode_id, asset_id", episode_id, asset_id)

    def show_movie(self, title_id: str, asset_id: str) -> None:
        """Let an asset show a movie."""
        self.rows.add("movie_asset", "title_id, asset_id", title_id, asset_id)


def unlink(db: Database, asset_id: str) -> tuple[set[int], set[str]]:
    """Let an asset show nothing: the episodes and movies that it showed."""
    episodes = db.execute("DELETE FROM episode_asset WHERE asset_id = ? RETURNING episode_id", (asset_id,))
    movies = db.execute("DELETE FROM movie_asset WHERE asset_id = ? RETURNING title_id", (asset_id,))
    return {int(row[0]) for row in episodes}, {str(row[0]) for row in movies}


def name_episodes(db: Database, asset_id: str, name: str) -> bool:
    """Give the episodes that an asset shows a name, but for those that the operator has named: whether one had another."""
    db.execute(
        """
        UPDATE episode
           SET name = ?1
         WHERE name IS NOT ?1
           AND id IN (SELECT episode_id FROM episode_asset WHERE asset_id = ?2)
           AND NOT EXISTS (SELECT 1
                             FROM episode_asset
                             JOIN asset ON asset.id = episode_asset.asset_id
                             JOIN assignment ON assignment.collection_id = asset.collection_id
                                            AND assignment.canonical_key = asset.canonical_key
                            WHERE episode_asset.episode_id = episode.id
                              AND episode_asset.asset_id <> ?2
                              AND assignment.episode_title IS NOT NULL)
        """,
        (name, asset_id),
    )
    return db.changes() > 0


def prune(db: Database, episode_ids: Iterable[int], movie_ids: Iterable[str]) -> dict[str, int]:
    """Remove those of the episodes and movies, and the seasons and shows above, that hold nothing up: rows per table."""
    episodes = db.execute(
        """
        DELETE FROM episode
         WHERE id IN (SELECT value FROM json_each(?))
           AND NOT EXISTS (SELECT 1 FROM episode_asset WHERE episode_asset.episode_id = episode.id)
        RETURNING season_id
        """,
        (json.dumps(list(episode_ids)),),
    )
    seasons = db.execute(
        """
        DELETE FROM season
         WHERE id IN (SELECT value FROM json_each(?))
           AND NOT EXISTS (SELECT 1 FROM episode WHERE episode.season_id = season.id)
        RETURNING title_id
        """,
        (json.dumps(list({season_id for (season_id,) in episodes})),),
    )
    gone = db.execute(
        """
        DELETE FROM title
         WHERE id IN (SELECT value FROM json_each(?))
           AND NOT EXISTS (SELECT 1 FROM season WHERE season.title_id = title.id)
           AND NOT EXISTS (SELECT 1 FROM movie_asset WHERE movie_asset.title_id = title.id)
        RETURNING id
        """,
        (json.dumps([*{title_id for (title_id,) in seasons}, *movie_ids]),),
    )
    return {"episode": len(episodes), "season": len(seasons), "title": len(gone)}


def rename_title(db: Database, title_id: str, name: str, year: int | None) -> None:
    """Give a title another name and year."""
    db.execute("UPDATE title SET name = ?, year = ? WHERE id = ?", (name, year, title_id))


def merge_titles(db: Database, title_id: str, *, into: str) -> None:
    """Let all that belongs to a title belong to another one, and remove it. Equal seasons and episodes become one."""
    db.execute("UPDATE movie_asset SET title_id = ? WHERE title_id = ?", (into, title_id))
    seasons = db.execute(
        """
        SELECT goes.id, stays.id
          FROM season AS goes
          LEFT JOIN season AS stays ON stays.title_id = ?
                                   AND stays.number = goes.number
         WHERE goes.title_id = ?
        """,
        (into, title_id),
    )
    for season_id, twin_id in seasons:
        if twin_id is None:
            db.execute("UPDATE season SET title_id = ? WHERE id = ?", (into, season_id))
        else:
            _merge_seasons(db, season_id, into=twin_id)
    db.execute("DELETE FROM title WHERE id = ?", (title_id,))


def _merge_seasons(db: Database, season_id: int, *, into: int) -> None:
    episodes = db.execute(
        """
        SELECT goes.id, goes.name, stays.id
          FROM episode AS goes
          LEFT JOIN episode AS stays ON stays.season_id = ?
                                    AND stays.number = goes.number
         WHERE goes.season_id = ?
        """,
        (into, season_id),
    )
    for episode_id, name, twin_id in episodes:
        if twin_id is None:
            db.execute("UPDATE episode SET season_id = ? WHERE id = ?", (into, episode_id))
        else:
            db.execute("UPDATE episode_asset SET episode_id = ? WHERE episode_id = ?", (twin_id, episode_id))
            db.execute("UPDATE episode SET name = ? WHERE id = ? AND name IS NULL", (name, twin_id))
            db.execute("DELETE FROM episode WHERE id = ?", (episode_id,))
    db.execute("DELETE FROM season WHERE id = ?", (season_id,))
