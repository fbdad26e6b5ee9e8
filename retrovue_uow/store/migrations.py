"""The shape of a catalogue file: whose it is, which migrations it has had, and the views that judge and show it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw

from retrovue_uow.errors import ResourceError, loading, some
from retrovue_uow.log import logger
from retrovue_uow.store.ids import utc_now
from retrovue_uow.uow.connection import MEMORY, SQLITE_HEADER, as_it_lies, cannot_open, has_log, read_header, translated
from retrovue_uow.uow.database import Database

APPLICATION_ID = 0x52565557
"""`RVUW` in ASCII: what `file` and SQLite's header show of a catalogue."""
_USER_VERSION_OFFSET, _APPLICATION_ID_OFFSET = 60, 68  # https://www.sqlite.org/fileformat.html#the_database_header

_BUSY_MS = 5000
"""How long another process may take to make the catalogue that is looked at just now."""
_STATE = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
  FROM pragma_application_id, pragma_user_version
"""
"""One statement, so that nobody can make the catalogue between two of its answers."""
_COLUMNS = """
SELECT tables.name, columns.name
  FROM pragma_table_list AS tables
  JOIN pragma_table_info(tables.name) AS columns
 WHERE tables.type = 'table'
 ORDER BY tables.name, columns.cid
"""


@cache
def migrations() -> tuple[str, ...]:
    """The SQL of every migration, in order; `PRAGMA user_version` counts those that a file has had."""
    return tuple(_texts("migrations").values())


@contextmanager
def _made(count: int) -> Iterator[apsw.Connection]:
    """A database in memory as the first migrations make it."""
    try:
        with closing(apsw.Connection(MEMORY)) as fresh:
            for text in migrations()[:count]:
                fresh.execute(text).fetchall()
            yield fresh
    except apsw.Error as error:
        raise translated(error, MEMORY) from error


@cache
def made_by_migrations(count: int) -> dict[tuple[str, str], str]:
    """Type and name → SQL of all that the first migrations make."""
    with _made(count) as fresh:
        return stored(fresh.execute)


@cache
def columns_at(version: int) -> dict[str, list[str]]:
    """The columns of each table, as the first migrations make them."""
    found: dict[str, list[str]] = {}
    with _made(version) as fresh:
        for table, column in fresh.execute(_COLUMNS).fetchall():
            found.setdefault(str(table), []).append(str(column))
    return found


def stored(execute: Callable[[str], Iterable[Any]]) -> dict[tuple[str, str], str]:
    """Type and name → SQL of all that a file's schema has."""
    rows = execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(str(kind), str(name)): str(sql) for kind, name, sql in rows}


def altered(connection: apsw.Connection) -> list[str]:
    """The parts of this library's own schema that are missing or were altered. Raises APSW's own errors."""
    there = stored(connection.execute)
    return [f"{kind} {name!r}" for (kind, name), sql in own_schema().items() if there.get((kind, name)) != sql]


def own_schema() -> dict[tuple[str, str], str]:
    """Type and name → SQL of every table, index, trigger and view that this library makes."""
    return {**made_by_migrations(len(migrations())), **{("view", name): sql for name, sql in views().items()}}


@cache
def own_names() -> frozenset[str]:
    return frozenset(name for _, name in own_schema())


@cache
def rule_names() -> frozenset[str]:
    return frozenset(_texts("rules"))


@cache
def views() -> dict[str, str]:
    """`CREATE VIEW` statements by name: one for each rule, `violation`, which unites those, and the ones made for people."""
    rules = _texts("rules")
    violation = "\nUNION ALL\n".join(f"SELECT rule, subject, id, detail FROM {name}" for name in rules)  # noqa: S608  our names
    bodies = {**rules, "violation": violation, **_texts("views")}
    texts = {name: [line for line in body.splitlines() if not line.startswith("--")] for name, body in bodies.items()}
    return {name: f"CREATE VIEW {name} AS\n" + "\n".join(lines).strip() for name, lines in texts.items()}


def _texts(folder: str) -> dict[str, str]:
    """Stem → text of the SQL files in a folder of `retrovue_uow.schema`, sorted by name."""
    with loading(f"the SQL of {folder}"):
        # Not by `importlib.resources`, which takes longer to import than all these files to read.
        # Nor by `Path.glob`, to which a folder that cannot be read is an empty one.
        within = Path(import_module("retrovue_uow.schema").__path__[0], folder)
        names = sorted(name for name in os.listdir(within) if name.endswith(".sql"))
        return {name.removesuffix(".sql"): (within / name).read_text(encoding="utf-8") for name in names}


def refuse_foreign_file(path: str) -> None:
    """Raise `ResourceError` if `path` is somebody else's database, or a newer catalogue; it is not changed in any way."""
    if path == MEMORY or not Path(path).is_file():
        return
    header = read_header(path)
    is_known = _number(header, _APPLICATION_ID_OFFSET) == APPLICATION_ID and header.startswith(SQLITE_HEADER)
    if is_known and _number(header, _USER_VERSION_OFFSET) <= len(migrations()):
        return
    if has_log(path):
        # with its log, from which SQLite mends what a crash left, as it would for the next who opens the file; what may not be
        # written, SQLite opens read-only (https://www.sqlite.org/c3ref/open.html)
        _judge_content(path, partial(apsw.Connection, flags=apsw.SQLITE_OPEN_READWRITE))
    elif header.startswith(SQLITE_HEADER):  # empty files are welcome; what is no database, the connection refuses
        _judge_content(path, as_it_lies)


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _judge_content(path: str, opened: Callable[[str], apsw.Connection]) -> None:
    """Look into a file whose header is not ours, or not as we left it."""
    try:
        with closing(opened(path)) as connection:
            connection.set_busy_timeout(_BUSY_MS)
            (state,) = connection.execute(_STATE).fetchall()
    except apsw.Error as error:
        raise cannot_open(error, path) from error
    _known_version(path, state)


def _known_version(path: str, state: Sequence[Any]) -> int:
    """How many migrations a file has had that is ours, or empty."""
    application_id, version, tables = state
    if tables and application_id != APPLICATION_ID:
        raise ResourceError(f"{path!r} is a database of another program: name another file for the catalogue")
    if version < 0:
        raise ResourceError(f"catalogue {path!r} has schema version {version}, which is none: restore a backup")
    if version > len(migrations()):
        raise ResourceError(
            f"catalogue {path!r} has schema version {version}, this library knows {len(migrations())}: "
            "install the version of retrovue_uow that wrote it, or a newer one"
        )
    return int(version)


def migrate(database: Database, settle: Callable[[Database], None]) -> None:
    """Bring a catalogue to the schema of this library: all pending migrations and the views in one transaction.

    A catalogue that has data is first copied beside itself, to `<path>.v<N>.<time>.bak`. Of several processes that open it at
    once, the first one whose turn comes migrates it.

    Args:
        settle: Mends what an older version let stand, and the rules would not; called as the last thing in the transaction.

    Raises:
        ResourceError: The file is another program's, newer than this library, or older and opened read-only.
    """
    version = _version(database)
    _refuse_impostors(database, version)
    if version == len(migrations()) and (database.is_read_only or _stored_views(database) == views()):
        return
    if database.is_read_only:
        raise ResourceError(f"catalogue {database.path!r} is of an older version: open it once for writing to update it")
    require_own_triggers(database, version)
    with database.session(durable=True):
        version = _version(database)
        pending = migrations()[version:]
        if version and pending:
            _back_up(database, version)
        for name in _stored_views(database):  # SQLite refuses to rename or drop what a view still names
            database.execute(f"DROP VIEW {name}")
        for text in pending:
            database.execute(text)
        database.execute(f"PRAGMA user_version = {len(migrations())}")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in views().values():
            database.execute(statement)
        if version and pending:
            settle(database)
    logger.info("catalogue_migrated", path=database.path, applied=len(pending), version=len(migrations()))


def require_current(database: Database) -> None:
    """Raise `ResourceError` unless the open catalogue still has, word for word, this library's schema, rules and triggers."""
    if _version(database) != len(migrations()) or _stored_views(database) != views():
        raise ResourceError(
            f"another program has changed the schema or the rules of catalogue {database.path!r}: open it again, which "
            "restores the rules"
        )
    require_own_triggers(database, len(migrations()))
    try:
        found = altered(database.connection)
    except (apsw.Error, UnicodeError) as error:
        raise database.transaction.refusal(error) from error
    if found:
        raise ResourceError(
            f"another program has changed the schema of catalogue {database.path!r} ({some(found, between=', ')}): "
            "restore a backup; it can be read meanwhile"
        )


def foreign_triggers(database: Database, version: int) -> list[tuple[str, str]]:
    """Name and table of the triggers on our tables that are not, word for word, what the migrations so far have made."""
    ours = made_by_migrations(version)
    rows = database.execute("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
    return [
        (str(name), str(table))
        for name, table, sql in rows
        if ("table", str(table).lower()) in ours and ours.get(("trigger", name)) != sql
    ]


def require_own_triggers(database: Database, version: int) -> None:
    """Raise `ResourceError` where a trigger that is somebody else's would run with what we write."""
    found = foreign_triggers(database, version)
    if found:
        listed = some([f"{name!r} (on {table})" for name, table in found], between=", ")
        raise ResourceError(
            f"catalogue {database.path!r} has triggers on its own tables that are not this library's: {listed}. They could "
            "change rows behind an operation's back, or never end: drop them (DROP TRIGGER, in the sqlite3 shell). It can be "
            "read meanwhile, and tables of your own may have triggers"
        )


def _refuse_impostors(database: Database, version: int) -> None:
    """A view with the name of a table would run somebody else's query wherever the catalogue is read."""
    for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name"):
        if ("table", str(name).lower()) in made_by_migrations(version):
            raise ResourceError(f"in catalogue {database.path!r}, {name!r} is a view instead of a table: restore a backup")


def _version(database: Database) -> int:
    """How many migrations the file has had, asked through the connection: another process may just have made it."""
    (state,) = database.execute(_STATE)
    return _known_version(database.path, state)


def _stored_views(database: Database) -> dict[str, str]:
    rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'")
    return {str(name): str(sql) for name, sql in rows if name in views()}


def _back_up(database: Database, version: int) -> None:
    """Copy the file as it was committed, by a connection of its own: that of the open unit could not make a copy."""
    if database.path == MEMORY:
        return
    copy = f"{database.path}.v{version}.{re.sub('[-:]', '', utc_now())}.bak"
    with Database(database.path, read_only=True) as committed:
        committed.backup(copy)
    logger.info("catalogue_copied_before_migration", copy=copy)
