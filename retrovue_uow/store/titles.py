"""Titles, seasons and episodes, and the assets that show them: queries and changes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import AssetDraft, Title, TitleKind, folded, printed_title
from retrovue_uow.store.ids import as_stored, new_id, utc_now
from retrovue_uow.uow.database import Database, Row, Value
from retrovue_uow.uow.tables import quoted

NOTHING: tuple[set[int], set[str]] = (set(), set())
"""No episodes and no movies."""
NewRows = defaultdict[tuple[int, str], list[tuple[Value, ...]]]
"""Rows to be written, by the statement that writes them and its place in the order: parents first."""
_TITLE = 1, "INSERT INTO title (id, kind, name, year, created_at) VALUES (?, ?, ?, ?, ?)"
_SEASON = 2, "INSERT INTO season (id, title_id, number) VALUES (?, ?, ?)"
_EPISODE = 3, "INSERT INTO episode (id, season_id, number, name) VALUES (?, ?, ?, ?)"
_EPISODE_NAME = 4, "UPDATE episode SET name = ? WHERE id = ? AND name IS NULL"
ASSET = 5
"""The place of assets in the order; what hangs on them comes after it."""
_SHOWS_EPISODE = ASSET + 1, "INSERT INTO episode_asset (episode_id, asset_id) VALUES (?, ?)"
_SHOWS_MOVIE = ASSET + 1, "INSERT INTO movie_asset (title_id, asset_id) VALUES (?, ?)"
_ASCII_NAME = "iif(length(name) = length(CAST(name AS BLOB)), lower(name), NULL)"
"""As in the index `title_ascii_name`. SQLite folds ASCII alone: titles for which it is NULL are read, and compared here."""

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
    rows = db.execute(
        f"""
        SELECT id, kind, name, year
          FROM title
         WHERE id IN (SELECT value FROM json_each(?1))
            OR {_ASCII_NAME} IN (SELECT value FROM json_each(?1))
            OR {_ASCII_NAME} IS NULL
         ORDER BY name, year
        """,  # noqa: S608  the text is the one above
        (json.dumps(list(names)),),
    )
    found = [Title(id_, kind, str(name), year) for id_, kind, name, year in rows]  # text in a damaged file, too
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


class Hierarchy:
    """Titles, seasons and episodes as a unit of work comes to know them: each is looked up once, or added.

    It believes what it has seen: let it live no longer than the savepoint in which it was made, and `forget` where something
    above an asset is removed. Rows that it adds are kept until `write`, so that many are written at once; until then nobody
    else may add any to these tables, for the keys that rows refer to are counted here.

    Attributes:
        now: When it was made, which is when what it adds was created.
        rows: What is to be written; others may add what hangs on it.
        added: Rows that had to be added, by table.
    """

    def __init__(self, db: Database) -> None:
        self.now = utc_now()
        self.rows = NewRows(list)
        self.added: Counter[str] = Counter()
        self._db = db
        self._last_keys: dict[str, int] = {}
        self._titles: dict[tuple[TitleKind, str, int | None], str] = {}
        self._seasons: dict[str, dict[int, int]] = {}
        self._episodes: dict[int, dict[int, int]] = {}
        self._unnamed: set[int] = set()
        self._alike: dict[tuple[TitleKind, str, int | None], str] | None = None
        self._assigned: set[Row] = set()

    def forget(self) -> None:
        """Believe nothing any longer; what was added still counts."""
        self._titles.clear()
        self._seasons.clear()
        self._episodes.clear()
        self._unnamed.clear()

    def take_back(self, added: Counter[str]) -> None:
        """Be as before a savepoint that was undone, when `added` was what had been added."""
        self.forget()
        self.rows.clear()
        self._last_keys.clear()
        self._alike = None
        self.added = added

    def write(self) -> None:
        """Write the rows, a table at a time."""
        for (_, statement), rows in sorted(self.rows.items()):
            self._db.executemany(statement, rows)
        self.rows.clear()
        self._last_keys.clear()

    def _next_key(self, table: str) -> int:
        """The key of a row that is added to the table: a number that no other one has ever had."""
        if table not in self._last_keys:
            known = f"SELECT max(id) FROM {table} UNION ALL SELECT seq FROM sqlite_sequence WHERE name = ?"  # noqa: S608  ours
            self._last_keys[table] = max(key or 0 for (key,) in self._db.execute(known, (table,)))
        self._last_keys[table] += 1
        self.added[table] += 1
        return self._last_keys[table]

    def title(self, kind: TitleKind, name: str, year: int | None) -> str:
        """Identifier of the title with this identity, or of the oldest that differs from it in case or Unicode form alone."""
        known = self._titles.get((kind, name, year))
        if known is None:
            known = title_id(self._db, kind, name, year) or self._found_alike(kind, name, year)
            if known is None:
                known = new_id()
                self.rows[_TITLE].append((known, kind, name, year, self.now))
                self.added["title"] += 1
                self._seasons[known] = {}
                if self._alike is not None:
                    self._alike[kind, folded(name), year] = known
            self._titles[kind, name, year] = known
        return known

    def _found_alike(self, kind: TitleKind, name: str, year: int | None) -> str | None:
        """The oldest one; those that hold more than ASCII are read once, when the first title is missed by its exact name."""
        if self._alike is None:
            beyond = f"SELECT kind, name, year, id FROM title WHERE {_ASCII_NAME} IS NULL ORDER BY created_at DESC, id DESC"  # noqa: S608  as above
            self._alike = {(kind_, folded(name_), year_): id_ for kind_, name_, year_, id_ in self._db.execute(beyond)}
            self._assigned = set(
                self._db.execute("SELECT DISTINCT iif(kind = 'episode', 'show', kind), title, year FROM assignment")
            )
        if (kind, name, year) in self._assigned:
            return None  # what the operator says is taken to the letter
        seen = self._alike.get((kind, folded(name), year))
        rows = self._db.execute(
            f"""
            SELECT id
              FROM title
             WHERE +kind = ?                                        -- of which there are two: no index is to be used for it
               AND year IS ?
               AND (id = ? OR {_ASCII_NAME} = ?)
             ORDER BY created_at, id
             LIMIT 1
            """,  # noqa: S608  likewise
            (kind, year, seen, folded(name)),
        )
        if rows:
            return str(rows[0][0])
        return seen if seen in self._titles.values() else None  # one that is to be written, or that is gone

    def season(self, title_id: str, number: int) -> int:
        """Identifier of a season."""
        of_title = self._seasons.get(title_id)
        if of_title is None:
            rows = self._db.execute("SELECT number, id FROM season WHERE title_id = ?", (title_id,))
            of_title = self._seasons[title_id] = {number_: int(id_) for number_, id_ in rows}
        known = of_title.get(number)
        if known is None:
            known = of_title[number] = self._next_key("season")
            self.rows[_SEASON].append((known, title_id, number))
            self._episodes[known] = {}
        return known

    def episode(self, season_id: int, number: int, name: str | None) -> int:
        """Identifier of an episode. An existing one only gets a name if it had none."""
        of_season = self._episodes.get(season_id)
        if of_season is None:
            rows = self._db.execute("SELECT number, id, name FROM episode WHERE season_id = ?", (season_id,))
            of_season = self._episodes[season_id] = {number_: int(id_) for number_, id_, _ in rows}
            self._unnamed.update(id_ for _, id_, name_ in rows if name_ is None)
        known = of_season.get(number)
        if known is None:
            known = of_season[number] = self._next_key("episode")
            self.rows[_EPISODE].append((known, season_id, number, name))
            if name is None:
                self._unnamed.add(known)
        elif name is not None and known in self._unnamed:
            self.rows[_EPISODE_NAME].append((name, known))
            self._unnamed.remove(known)
        return known

    def show(self, asset_id: str, draft: AssetDraft) -> tuple[set[int], set[str]]:
        """Let an asset show what a draft says: the episodes and movies."""
        if draft.kind not in ("movie", "episode"):
            return NOTHING
        if draft.title is None:
            raise ValidationError(f"draft {draft.source_path!r} is of kind {draft.kind} and has no title")
        title_id = self.title("movie" if draft.kind == "movie" else "show", draft.title, draft.year)
        if draft.kind == "movie":
            self.rows[_SHOWS_MOVIE].append((title_id, asset_id))
            return set(), {title_id}
        season_id = self.season(title_id, draft.season_number or 0)
        episodes = [self.episode(season_id, number, draft.episode_title) for number in draft.episode_numbers]
        self.rows[_SHOWS_EPISODE] += [(episode_id, asset_id) for episode_id in episodes]
        return set(episodes), set()


class Version(NamedTuple):
    """An asset, and one that shows exactly the same: itself or another. `rank` is None if that may not be scheduled."""

    asset_id: str
    id: str
    is_preferred: bool
    rank: int | None


def versions(db: Database, asset_ids: Iterable[str]) -> list[Version]:
    """The versions of assets, themselves among them; of each asset first those that may not be scheduled, then by rank."""
    rows = db.execute(
        """
        SELECT alike.asset_id,
               version.id,
               preference.id IS NOT NULL,
               (SELECT version_rank FROM schedulable_asset WHERE schedulable_asset.id = version.id) AS rank
          FROM (SELECT asset.id AS asset_id, asset.id AS version_id
                  FROM asset
                 WHERE asset.id IN (SELECT value FROM json_each(:values))
                 UNION
                SELECT own.asset_id, other.asset_id
                  FROM movie_asset AS own
                  JOIN movie_asset AS other ON other.title_id = own.title_id
                 WHERE own.asset_id IN (SELECT value FROM json_each(:values))
                 UNION
                SELECT own.asset_id, other.asset_id
                  FROM episode_asset AS own
                  JOIN episode_asset AS other ON other.episode_id = own.episode_id
                 WHERE own.asset_id IN (SELECT value FROM json_each(:values))
                   AND (SELECT group_concat(link.episode_id ORDER BY link.episode_id)
                          FROM episode_asset AS link
                         WHERE link.asset_id = own.asset_id)
                       = (SELECT group_concat(link.episode_id ORDER BY link.episode_id)
                          FROM episode_asset AS link
                         WHERE link.asset_id = other.asset_id)) AS alike
          JOIN asset AS own ON own.id = alike.asset_id
          JOIN asset AS version ON version.id = alike.version_id
                               AND version.part IS own.part
          LEFT JOIN preference ON preference.collection_id = version.collection_id
                              AND preference.canonical_key = version.canonical_key
         ORDER BY alike.asset_id, rank
        """,
        {"values": json.dumps(list(asset_ids))},
    )
    return [Version(asset_id, id_, bool(is_preferred), rank) for asset_id, id_, is_preferred, rank in rows]


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
    seasons = db.execute(
        """
        SELECT goes.id, stays.id
          FROM season AS goes
          JOIN season AS stays ON stays.title_id = ?
                              AND stays.number = goes.number
         WHERE goes.title_id = ?
        """,
        (into, title_id),
    )
    for season_id, twin_id in seasons:
        _merge_seasons(db, season_id, into=twin_id)
    _merge_rows(db, "title", title_id, into=into)


def _merge_seasons(db: Database, season_id: int, *, into: int) -> None:
    episodes = db.execute(
        """
        SELECT goes.id, goes.name, stays.id
          FROM episode AS goes
          JOIN episode AS stays ON stays.season_id = ?
                               AND stays.number = goes.number
         WHERE goes.season_id = ?
        """,
        (into, season_id),
    )
    for episode_id, name, twin_id in episodes:
        db.execute("UPDATE episode SET name = ? WHERE id = ? AND name IS NULL", (name, twin_id))
        _merge_rows(db, "episode", episode_id, into=twin_id)
    _merge_rows(db, "season", season_id, into=into)


def _merge_rows(db: Database, table: str, id_: Value, *, into: Value) -> None:
    """Let whatever refers to a row refer to another one, also from the station's own tables, and remove it."""
    for each in db.shape.references:
        if each.parent == table and each.is_to_key:
            column = quoted(each.column)
            db.execute(f"UPDATE {quoted(each.child)} SET {column} = ? WHERE {column} = ?", (into, id_))  # noqa: S608  the schema's
    db.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))  # noqa: S608  the name is one of ours
