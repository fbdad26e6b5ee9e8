"""The SQL that makes a catalogue: its own, and that of its extensions, all laid out alike; and what the file knows of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import attrs

from retrovue_uow.errors import ContractError, ResourceError, RetroVueError, ValidationError, loading, some
from retrovue_uow.model import Extension, digest
from retrovue_uow.secrets import with_message
from retrovue_uow.uow.connection import MEMORY, translated
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.tables import quoted, read_shape

OWN = "retrovue_uow.schema"
_NAME = re.compile("[a-z][a-z0-9]*")
_WRITES = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_OF_TABLE = frozenset({apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_DROP_INDEX, apsw.SQLITE_CREATE_TRIGGER, apsw.SQLITE_DROP_TRIGGER})
_SHAPES = frozenset(
    {apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_CREATE_VIEW, apsw.SQLITE_DROP_TABLE, apsw.SQLITE_DROP_VIEW, apsw.SQLITE_REINDEX}
)
_HARMLESS = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_EMPTIES = frozenset({apsw.SQLITE_DELETE, apsw.SQLITE_DROP_TABLE, apsw.SQLITE_DROP_INDEX, apsw.SQLITE_DROP_TRIGGER})
_BOOKKEEPING = frozenset({"sqlite_master", "sqlite_temp_master", "sqlite_sequence"})


@attrs.frozen(eq=False, slots=False)
class Schema:
    """The SQL of one package: `migrations/` shape its tables, `rules/` judge them, `views/` show them.

    Attributes:
        name: With `_` the beginning of every name in it; "" for the catalogue's own.
        migrations: SQL by name of the file, in order.
        rules: Queries by name; each gives `(rule, subject, id, detail)` of the rows that break it.
        views: Queries by name.
    """

    name: str
    migrations: Mapping[str, str]
    rules: Mapping[str, str]
    views: Mapping[str, str]

    @cached_property
    def digests(self) -> list[str]:
        return [digest(text) for text in self.migrations.values()]


class Record(NamedTuple):
    """What the file remembers of an extension.

    Attributes:
        digests: SHA-256 of each migration that it has had.
        columns: Those of each of its tables after each of these migrations.
        made: Type and name → SQL of all that they have made.
        reads: The tables that each rule reads.
    """

    name: str
    digests: Sequence[str] = ()
    columns: Sequence[Mapping[str, Sequence[str]]] = ()
    made: Mapping[tuple[str, str], str] = {}
    rules: Mapping[str, str] = {}
    views: Mapping[str, str] = {}
    reads: Mapping[str, Sequence[str]] = {}

    @property
    def version(self) -> int:
        return len(self.digests)


@cache
def own() -> Schema:
    """The catalogue's own schema: the first one, of which all others are extensions."""
    return read("", OWN)


@cache
def read(name: str, package: str) -> Schema:
    """The SQL of a package, laid out like `retrovue_uow.schema`; an extension need not have every folder.

    Raises:
        ResourceError: The package cannot be imported, or read.
        ValidationError: A file is named otherwise than it must be.
    """
    with loading(f"the SQL of {package!r}"):
        try:
            root = Path(import_module(package).__path__[0])
        except OSError:
            raise
        except Exception as error:  # importing runs whatever its author wrote
            raise ResourceError(
                f"package {package!r} of extension {name!r} cannot be imported ({error!r}): install it"
            ) from error
        folders = [_texts(root / folder, is_optional=bool(name)) for folder in ("migrations", "rules", "views")]
    migrations, *queries = folders
    numbers = [stem[:5] for stem in migrations]
    if numbers != [f"{number:04}_" for number in range(1, len(numbers) + 1)]:
        raise ValidationError(
            f"the migrations of package {package!r} are not numbered 0001_…, 0002_… and so on: {[*migrations]}"
        )
    if misnamed := [stem for texts in queries for stem in texts if name and not stem.startswith(f"{name}_")]:
        raise ValidationError(f"file {misnamed[0]!r} of package {package!r} is not named {name}_…: rename it")
    if twice := queries[0].keys() & queries[1].keys():
        raise ValidationError(f"package {package!r} has both a rule and a view {min(twice)!r}: rename one of them")
    if with_nul := [stem for texts in folders for stem, text in texts.items() if "\0" in text]:  # UTF-16 may be read so
        raise ValidationError(
            f"file {with_nul[0]!r} of package {package!r} of extension {name!r} has NUL characters: save it as UTF-8"
        )
    if not any(folders):
        raise ValidationError(f"package {package!r} has no SQL in migrations/, rules/ or views/: does it include *.sql files?")
    return Schema(name, migrations, *({stem: _query(text) for stem, text in texts.items()} for texts in queries))


def _texts(folder: Path, *, is_optional: bool) -> dict[str, str]:
    """Stem → text of the SQL files in a folder, sorted by name."""
    # Not by `importlib.resources`, which takes longer to import than all these files to read.
    # Nor by `Path.glob`, to which a folder that cannot be read is an empty one.
    if is_optional and not folder.is_dir():
        return {}
    names = sorted(name for name in os.listdir(folder) if name.endswith(".sql"))
    try:
        return {name.removesuffix(".sql"): (folder / name).read_text(encoding="utf-8") for name in names}
    except UnicodeDecodeError as error:
        raise ValidationError(f"the SQL in {str(folder)!r} is not UTF-8: save it so ({error})") from error


def _query(text: str) -> str:
    """A query as the file keeps it: another comment must not make another view."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip().rstrip("; \n")


@contextmanager
def _made(count: int) -> Iterator[apsw.Connection]:
    """A database in memory as the first migrations of the catalogue make it."""
    try:
        with closing(apsw.Connection(MEMORY)) as fresh:
            for text in [*own().migrations.values()][:count]:
                fresh.execute(text).fetchall()
            yield fresh
    except apsw.Error as error:
        raise translated(error, MEMORY) from error


@cache
def made_by_migrations(count: int) -> dict[tuple[str, str], str]:
    """Type and name → SQL of all that the first migrations of the catalogue make."""
    with _made(count) as fresh:
        return stored(fresh.execute)


@cache
def columns_at(version: int) -> Mapping[str, Sequence[str]]:
    """The columns of each table, as the first migrations of the catalogue make them."""
    with _made(version) as fresh:
        return read_shape(lambda *statement: fresh.execute(*statement).fetchall()).columns


@cache
def own_names() -> frozenset[str]:
    """Of all that is in every catalogue."""
    return frozenset(
        (*(name for _, name in made_by_migrations(len(own().migrations))), *own().rules, *own().views, "violation")
    )


def code_of(extensions: Iterable[Extension]) -> dict[str, Schema]:
    """The SQL of extensions, by name.

    Raises:
        ValidationError: One is called otherwise than it must be, or not laid out so.
        ContractError: One is no `Extension`.
    """
    found: dict[str, Schema] = {}
    for each in extensions:
        if not isinstance(each, Extension):
            raise ContractError(f"an extension is given as `Extension(name, package)`, not as {each!r}")
        name = each.name
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.upper() in apsw.keywords:
            raise ValidationError(f"an extension cannot be called {name!r}: small letters and digits, and no word of SQL")
        if taken := sorted(ours for ours in own_names() | {"retrovue", "json"} if ours == name or is_of(name, ours)):
            raise ValidationError(f"an extension cannot be called {name!r}: the catalogue has {taken[0]!r} of its own")
        if name in found:
            raise ValidationError(f"two extensions are called {name!r}: leave one of them out")
        found[name] = read(name, each.package)
    return found


def united(rules: Iterable[str]) -> str:
    """All that the rules find, in one query."""
    return "\nUNION ALL\n".join(f"SELECT rule, subject, id, detail FROM {name}" for name in rules)  # noqa: S608  our names


def stored(execute: Callable[[str], Iterable[Any]], name: str = "") -> dict[tuple[str, str], str]:
    """Type and name → SQL of all that a file's schema has, or of what an extension made there."""
    rows = execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(str(kind), str(each)): str(sql) for kind, each, sql in rows if is_of(name, str(each).lower())}


def is_of(name: str, called: str) -> bool:
    """Whether what is called so is an extension's; of the catalogue's own name, all is."""
    return not name or called.startswith(f"{name}_")


def of(called: str) -> str:
    """The extension whose thing is called so."""
    return called.partition("_")[0]


def records(db: Database) -> dict[str, Record]:
    """What the file remembers of its extensions, by name. Raises `ResourceError` where that is not what was written."""
    found: dict[str, Record] = {}
    query = "SELECT name, record, digest FROM extension ORDER BY name"
    try:
        rows = db.execute(query)
    except ContractError:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'extension'"):
            return found  # the catalogue is older than this, or none
        try:
            rows = db.execute(query)  # which another process may have made between the two
        except ContractError as error:
            raise ResourceError(
                f"in catalogue {db.path!r}, table 'extension' is damaged: restore a backup ({error})"
            ) from error
    for name, text, known in rows:
        if digest(str(text)) != known:
            raise ResourceError(f"what catalogue {db.path!r} remembers of extension {name!r} is damaged: restore a backup")
        record = json.loads(text)
        made = {(kind, each): sql for kind, each, sql in record.pop("made")}
        found[str(name)] = Record(str(name), made=made, **record)
    return found


def remember(db: Database, record: Record) -> None:
    """Write what the file is to remember of an extension."""
    facts = record._asdict()
    del facts["name"]
    text = json.dumps({**facts, "made": [(*each, sql) for each, sql in record.made.items()]})
    db.execute(
        """
        INSERT INTO extension (name, version, record, digest)
        VALUES (?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, record = excluded.record, digest = excluded.digest
        """,
        (record.name, record.version, text, digest(text)),
    )


def rules(db: Database) -> dict[str, frozenset[str]]:
    """The rules of extensions, each with the tables that it reads."""
    return {rule: frozenset(tables) for each in records(db).values() for rule, tables in each.reads.items()}


def statements(text: str) -> Iterator[str]:
    """The statements of a file of SQL, one by one."""
    start = 0
    for end in (match.end() for match in re.finditer(";", text)):
        if apsw.complete(text[start:end]):
            yield text[start:end]
            start = end
    yield text[start:]  # the last one need not end, or is a comment


class OwnObjects:
    """The guard under which the SQL of an extension runs: it writes and shapes what bears its name, and nothing else.

    Attributes:
        adoptable: Older tables of the station, which a migration may empty if they are gone in the end.
        is_of_triggers: Whether only what triggers write is looked at.
        emptied: Which of the adoptable ones it has emptied or dropped.
        kept: None of the tables, for its own are looked at.
    """

    kept: Set[str] = frozenset()

    def __init__(self, name: str, adoptable: Set[str] = frozenset(), *, is_of_triggers: bool = False) -> None:
        self.name, self.adoptable, self.is_of_triggers = name, adoptable, is_of_triggers
        self.emptied: set[str] = set()

    def refusal(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> str | None:
        """Why a statement is refused; None: it is not. The arguments are those of an authorizer."""
        if action in _HARMLESS or (self.is_of_triggers and trigger is None):
            return None
        if action == apsw.SQLITE_PRAGMA and first == "quick_check":
            return None  # by which SQLite looks whether a new column is right in every row
        if action in _WRITES and first in _BOOKKEEPING and not self.is_of_triggers:
            return None  # by what SQLite itself does; what defensive mode lets through is found in the end
        if action == apsw.SQLITE_ALTER_TABLE:
            database, touched = first, [second or ""]
        elif action in _WRITES | _SHAPES | _OF_TABLE:
            touched = [first or "", second or ""] if action in _OF_TABLE else [first or ""]
        else:
            return f"extension {self.name!r} changes and shapes tables, indexes, views and triggers, and does nothing else"
        foreign = [
            each for each in touched if not (is_of(self.name, each.removeprefix("sqlite_autoindex_")) and each.islower())
        ]
        if not foreign and database == "main":
            return None
        if action in _EMPTIES and touched[-1].lower() in self.adoptable and database == "main":
            self.emptied.add(touched[-1].lower())
            return None
        by = f"trigger {trigger!r} of " if trigger else ""
        misnamed = f"{(foreign or touched)[0]!r} is not named {self.name}_… in small letters"
        return f"{misnamed}: {by}extension {self.name!r} changes its own alone"


@contextmanager
def told_of(what: str) -> Iterator[None]:
    """Begin the message of an error in the block with what it is about."""
    try:
        yield
    except RetroVueError as error:
        raise with_message(error, f"{what}: {error}") from error


def _run(database: Database, schema: Schema, stem: str, text: str) -> None:
    """Run a migration statement by statement; an error names the file, and which of them it was."""
    whose = f" of extension {schema.name!r}" if schema.name else ""
    for number, statement in enumerate(statements(text), 1):
        with told_of(f"migration {stem!r}{whose} failed at statement {number}, and nothing was changed"):
            database.execute(statement)


def extend(database: Database, schema: Schema, files: Iterable[tuple[str, str]]) -> None:
    """Run pending migrations. What those of an extension make is held against what it may make, and remembered."""
    if not schema.name:
        for stem, text in files:
            _run(database, schema, stem, text)
        return
    name, known = schema.name, records(database)
    record = known.get(name, Record(name))
    of_others = _of_others(database, name)
    adoptable = {
        table.lower()
        for kind, table in of_others
        if kind == "table" and table not in own_names() and not any(is_of(each, table.lower()) for each in known)
    }
    guard, after = OwnObjects(name, adoptable), [*record.columns]
    for stem, text in files:
        with database.guarded(guard), database.without_references():
            _run(database, schema, stem, text)
        after.append({table: columns for table, columns in database.shape.columns.items() if is_of(name, table)})
    _require_own_only(database, name, guard.emptied, of_others)
    made = stored(database.execute, name)
    remember(database, record._replace(digests=schema.digests, columns=after, made=made))


def _of_others(database: Database, name: str) -> dict[tuple[str, str], tuple[object, object]]:
    """Type and name → table and SQL of what is not an extension's; with last keys given out, and references to nothing."""
    rows = database.execute(
        """
        SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL
         UNION ALL
        SELECT 'keys of', name, name, seq FROM sqlite_sequence
         UNION ALL
        SELECT 'reference of', tables.name || ' to a table that is not there, ' || keys."table", tables.name, NULL
          FROM pragma_table_list AS tables
          JOIN pragma_foreign_key_list(tables.name) AS keys
         WHERE tables.schema = 'main'
           AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = keys."table" COLLATE NOCASE)
        """
    )
    return {(kind, each): (table, sql) for kind, each, table, sql in rows if not is_of(name, each.lower())}


def folded_tables(db: Database) -> list[str]:
    """The tables whose key is compared by another collation than BINARY, as `NOCASE`.

    By it SQLite finds the row of another key than the one in a changeset, which then undoes the wrong one.
    """
    rows = db.execute(
        """
        SELECT DISTINCT tables.name
          FROM pragma_table_list AS tables
          JOIN pragma_index_list(tables.name) AS keys
          JOIN pragma_index_xinfo(keys.name) AS columns
         WHERE tables.schema = 'main'
           AND keys.origin = 'pk'
           AND columns.key
           AND columns.coll <> 'BINARY'
        """
    )
    return [str(name) for (name,) in rows]


def _require_own_only(
    database: Database, name: str, emptied: Set[str], before: Mapping[tuple[str, str], tuple[object, object]]
) -> None:
    """Raise `ValidationError` unless an extension has changed nothing but what is its own, and that is as tables must be."""
    after = _of_others(database, name)
    gone = [
        f"{kind} {each}" for (kind, each), (table, _) in before.items() - after.items() if str(table).lower() not in emptied
    ]
    new = [f"{kind} {each}" for (kind, each), _ in after.items() - before.items()]
    left = [
        f"table {each}, which it has emptied and not dropped"
        for kind, each in after
        if kind == "table" and each.lower() in emptied
    ]
    rows = database.execute("SELECT name, type, strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
    tables = {str(table): bool(strict) for table, kind, strict in rows if kind == "table" and is_of(name, str(table))}
    loose = [f"table {table}, which is not STRICT" for table, strict in tables.items() if not strict]
    unkeyed = [f"table {each}, which has no primary key of one column" for each in database.shape.unkeyed if each in tables]
    triggers = database.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
    odd = [
        f"trigger {each} on {table}, which is no table" for each, table in triggers if is_of(name, each) and table not in tables
    ]
    folded = [
        f"table {each}, whose key is compared by another collation than BINARY"
        for each in folded_tables(database)
        if each in tables
    ]
    wrong = [*gone, *new, *left, *loose, *unkeyed, *odd, *folded]
    if wrong:
        raise ValidationError(
            f"the migrations of extension {name!r} must leave what others have as it is, and make STRICT tables with a key of "
            f"one column; they do not: {some(wrong)}"
        )
    guard = OwnObjects(name, is_of_triggers=True)
    for table in tables:
        called, of_row = quoted(table), [quoted(each) for each in database.shape.columns[table]]
        assigned = ", ".join(f"{each} = {each}" for each in of_row)
        writes = f"INSERT INTO {called} DEFAULT VALUES", f"UPDATE {called} SET {assigned}", f"DELETE FROM {called}"  # noqa: S608  its own
        with told_of(f"table {table!r} of extension {name!r} cannot be written"), database.guarded(guard):
            for sql in writes:
                database.execute(f"EXPLAIN {sql}")
