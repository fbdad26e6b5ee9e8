"""The shape of a catalogue file: whose it is, which migrations it has had, and the views that judge and show it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager, nullcontext
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import apsw
import attrs

from retrovue_uow.errors import ResourceError, RetroVueError, ValidationError, some
from retrovue_uow.log import logger
from retrovue_uow.model import Extension
from retrovue_uow.store import checks
from retrovue_uow.store.extensions import (
    OwnObjects,
    Record,
    Schema,
    code_of,
    extend,
    made_by_migrations,
    of,
    own,
    own_names,
    records,
    remember,
    stored,
    told_of,
    united,
)
from retrovue_uow.store.ids import utc_now
from retrovue_uow.uow.connection import MEMORY, SQLITE_HEADER, as_it_lies, cannot_open, has_log, read_header
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.tables import quoted

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


@attrs.frozen(eq=False, slots=False)
class Schemas:
    """What there is in one catalogue: its own schema, and those of its extensions, by their code or else as the file has them.

    Attributes:
        version: How many migrations of its own the file has had.
        records: What the file remembers of each extension.
        code: The SQL of those extensions whose code is at hand; some of them may not be in the file yet.
        is_read_only: The file stays as it is, so what it remembers counts.
    """

    version: int
    records: Mapping[str, Record]
    code: Mapping[str, Schema]
    is_read_only: bool

    @cached_property
    def refusals(self) -> dict[str, str]:
        """Why nothing is written, by extension: the file has had other migrations than the code at hand knows."""
        found: dict[str, str] = {}
        for name in self.code.keys() & self.records.keys():
            had, known = self.records[name].digests, self.code[name].digests
            edited = [stem for stem, *both in zip(self.code[name].migrations, known, had, strict=False) if both[0] != both[1]]
            if len(had) > len(known):
                found[name] = (
                    f"extension {name!r} has had {len(had)} migrations in the catalogue, and its code here knows {len(known)}: "
                    "install the version of it that wrote the catalogue, or a newer one. It can be read meanwhile"
                )
            elif edited:
                found[name] = (
                    f"migration {edited[0]!r} of extension {name!r} is not what the catalogue has had: leave it as it was, and "
                    "add another one. The catalogue can be read meanwhile"
                )
        return found

    @cached_property
    def parts(self) -> list[Schema | Record]:
        """The catalogue's own schema, and those of its extensions."""
        found: dict[str, Schema | Record] = {**self.records}
        for name, schema in self.code.items():
            if name not in self.records or not (self.is_read_only or self.refusals):
                found[name] = schema
        return [own(), *(found[name] for name in sorted(found))]

    @cached_property
    def pending(self) -> list[tuple[Schema, list[tuple[str, str]]]]:
        """The schemas that the file does not have, or not wholly, with the migrations that it has not had.

        In the order in which they were given: one may refer to the tables of another before it.
        """
        had = {"": self.version, **{name: record.version for name, record in self.records.items()}}
        usable = [own(), *(schema for schema in self.code.values() if schema in self.parts)]
        found = [(each, [*each.migrations.items()][had.get(each.name, 0) :]) for each in usable]
        return [(schema, files) for schema, files in found if files or schema.name not in had]

    @cached_property
    def views(self) -> dict[str, str]:
        """`CREATE VIEW` statements by name: one for each rule, `violation`, which unites them, and the ones made for people."""
        parts = self.parts[::-1]  # its own come last: what a file says of an extension takes the place of none of them
        rules = {name: query for part in parts for name, query in part.rules.items()}
        shown = {name: query for part in parts for name, query in part.views.items()}
        queries = {**rules, **shown, "violation": united(rules)}
        return {name: f"CREATE VIEW {name} AS\n{query}" for name, query in queries.items()}

    @cached_property
    def made(self) -> dict[tuple[str, str], str]:
        """Type and name → SQL of all that the migrations so far have made."""
        of_extensions = {key: sql for record in self.records.values() for key, sql in record.made.items()}
        return {**of_extensions, **made_by_migrations(self.version)}

    @cached_property
    def all(self) -> dict[tuple[str, str], str]:
        """Type and name → SQL of every table, index, trigger and view that must be there."""
        return {**self.made, **{("view", name): sql for name, sql in self.views.items()}}

    def views_among(self, there: Mapping[str, str]) -> dict[str, str]:
        """Those of the views in a file that are the catalogue's or its extensions', or were before their code was another."""
        had = (name for record in self.records.values() for name in (*record.rules, *record.views))
        names = {*self.views, *had}
        return {name: sql for name, sql in there.items() if name in names}

    def altered(self, connection: apsw.Connection) -> list[str]:
        """The parts of the schema that are missing or were altered. Raises APSW's own errors."""
        return _altered(connection, self.all)


def refuse_foreign_file(path: str) -> None:
    """Raise `ResourceError` if `path` is somebody else's database, or a newer catalogue; it is not changed in any way."""
    if path == MEMORY or not os.path.isfile(path):
        return
    header = read_header(path)
    is_known = _number(header, _APPLICATION_ID_OFFSET) == APPLICATION_ID and header.startswith(SQLITE_HEADER)
    if is_known and _number(header, _USER_VERSION_OFFSET) <= len(own().migrations):
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
    if version > len(own().migrations):
        raise ResourceError(
            f"catalogue {path!r} has schema version {version}, this library knows {len(own().migrations)}: "
            "install the version of retrovue_uow that wrote it, or a newer one"
        )
    return int(version)


def migrate(
    database: Database,
    settle: Callable[[Database], None],
    extensions: Iterable[Extension] = (),
    provided: Callable[[Set[str]], Iterable[Extension]] = lambda _: (),
) -> Schemas:
    """Bring a catalogue to its schema and those of its extensions: all pending migrations and the views in one transaction.

    A catalogue that has data is first copied beside itself, to `<path>.v<N>.<time>.bak`. Of several processes that open it at
    once, the first one whose turn comes migrates it.

    Args:
        settle: Mends what an older version let stand, and the rules would not; called as the last thing in the transaction.
        extensions: Those whose code is at hand; the file gets those that it does not have.
        provided: Asked for the code of others that the file has.

    Raises:
        ResourceError: The file is another program's, newer than this library, or older and opened read-only.
        ValidationError: An extension, or what it makes, is called otherwise than it must be, or breaks its own rules.
        ContractError: The SQL of an extension is faulty, or does what it must not.
    """
    there = _found(database, code_of(extensions))
    if unknown := there.records.keys() - there.code.keys():
        there = attrs.evolve(there, code={**there.code, **code_of(provided(unknown))})
    views = _views(database)
    _refuse_impostors(database.path, views, there)
    if not there.pending and (database.is_read_only or there.refusals or there.views_among(views) == there.views):
        return there
    if database.is_read_only:
        lacks = next(f" lacks extension {each.name!r}" if each.name else " is of an older version" for each, _ in there.pending)
        raise ResourceError(f"catalogue {database.path!r}{lacks}: open it once for writing to update it")
    require_own_triggers(database, there)
    _require_whole(database, there)
    with _shaping(database) as copies:
        there = _found(database, there.code)
        for schema, _ in there.pending:
            _require_free_name(database, schema, there)
        if there.version and there.pending:
            copies += _back_up(database, there.version)
        _drop_views(database, there)
        for schema, files in there.pending:
            with checks.keeping_references(database) if schema.name else nullcontext():
                extend(database, schema, files)
        database.execute(f"PRAGMA user_version = {len(own().migrations)}")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        current = _make_views(database, _found(database, there.code))
        if there.version and there.version < current.version:
            settle(database)
        _require_judged(database, [schema for schema, _ in there.pending if schema.name])
    logger.info(
        "catalogue_migrated",
        path=database.path,
        applied=sum(len(files) for _, files in there.pending),
        version=current.version,
        extensions={name: record.version for name, record in current.records.items()},
    )
    return current


def remove_extension(database: Database, there: Schemas, name: str) -> tuple[Schemas, str | None]:
    """Drop all that an extension has made, after a copy: what is there then, and the path of the copy.

    Raises:
        ValidationError: There is no such extension, or a table of somebody else's refers to one of its own.
    """
    if name not in there.records:
        raise ValidationError(f"catalogue {database.path!r} has no extension {name!r}: it has {sorted(there.records)}")
    with _shaping(database) as copies:
        require_current(database, there)
        shape, made = database.shape, there.records[name].made
        for held in (*shape.references, *shape.unrecorded):
            if ("table", held.parent) in made and ("table", held.child) not in made:
                counted = f"SELECT count(*) FROM {quoted(held.child)} WHERE {quoted(held.column)} IS NOT NULL"  # noqa: S608  the schema's
                ((count,),) = database.execute(counted)
                raise ValidationError(
                    f"extension {name!r} cannot be removed: rows of table {held.child!r} refer to its table "
                    f"{held.parent!r} ({count} of them). Drop that reference first"
                )
        copies += _back_up(database, there.version)
        _drop_views(database, there)
        with database.without_references():  # its tables may refer to each other in a circle
            for kind, each in made:
                if kind in ("table", "view"):
                    database.execute(f"DROP {kind} {quoted(each)}")
        database.execute("DELETE FROM extension WHERE name = ?", (name,))
        code = {other: schema for other, schema in there.code.items() if other != name}
        current = _make_views(database, _found(database, code))
    copy = next(iter(copies), None)
    logger.info("extension_removed", path=database.path, extension=name, copy=copy)
    return current, copy


@contextmanager
def _shaping(database: Database) -> Iterator[list[str]]:
    """A unit for the keeper, with the list of the copies that it makes: where it fails, nobody needs them."""
    copies: list[str] = []
    altered, database.transaction.altered = database.transaction.altered, None  # just now, nothing is as it must be
    try:
        with database.as_keeper(), database.session(durable=True):
            yield copies
    except RetroVueError:
        for copy in copies:
            Path(copy).unlink(missing_ok=True)
        raise
    finally:
        database.transaction.altered = altered


def _found(database: Database, code: Mapping[str, Schema]) -> Schemas:
    (state,) = database.execute(_STATE)  # through the connection: another process may just have made it
    version, known = _known_version(database.path, state), records(database)
    if known or code:
        return Schemas(version, known, code, database.is_read_only)
    return _without_extensions(own(), version, database.is_read_only)


@cache
def _without_extensions(_: Schema, version: int, is_read_only: bool) -> Schemas:
    return Schemas(version, {}, {}, is_read_only)


def _require_whole(database: Database, there: Schemas) -> None:
    """Raise `ResourceError` where an extension would be added to what is no whole catalogue, or past a refusal of another."""
    if any(schema.name for schema, _ in there.pending):  # without its own the catalogue could not even be read
        for refusal in there.refusals.values():
            raise ResourceError(refusal)
        _require_unaltered(database, there.made)


def _require_free_name(database: Database, schema: Schema, there: Schemas) -> None:
    """Raise `ValidationError` where an extension that is new to the file would take a name that is there."""
    if not schema.name or schema.name in there.records:
        return
    taken = sorted(name for _, name in stored(database.execute, schema.name))
    if taken:
        raise ValidationError(
            f"extension {schema.name!r} cannot be added to catalogue {database.path!r}: {some(taken, between=', ')} is there "
            "already. Rename it first; a migration can read it under another name, and drop it"
        )


def _views(database: Database) -> dict[str, str]:
    """Every view of the file, also somebody else's."""
    rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY name")
    return {str(name): str(sql) for name, sql in rows}


def _drop_views(database: Database, schemas: Schemas) -> None:
    for name in schemas.views_among(_views(database)):  # SQLite refuses to rename or drop what a view still names
        if ("view", name) not in schemas.made:  # one that a migration made, another one drops
            database.execute(f"DROP VIEW {name}")


def _make_views(database: Database, schemas: Schemas) -> Schemas:
    """Make every view, and remember those of extensions: what is there then."""
    for name, statement in schemas.views.items():
        if name in own_names():
            database.execute(statement)
            continue
        with told_of(f"view {name!r} of extension {of(name)!r} cannot be"), database.guarded(OwnObjects(of(name))):
            database.execute(statement)
    there = stored(database.execute)
    for part in schemas.parts[1:]:
        reads: dict[str, list[str]] = {}
        for name in (*part.rules, *part.views):
            asked = "rule, subject, id, detail" if name in part.rules else "*"
            with told_of(f"view {name!r} of extension {of(name)!r} cannot be"):
                reads[name] = sorted(database.tables_read_by(f"SELECT {asked} FROM {name}"))  # noqa: S608  the schema's names
            if there["view", name] != schemas.views[name]:
                raise ValidationError(f"view {name!r} of extension {part.name!r} must be one query, and nothing after it")
        record = schemas.records.get(part.name, Record(part.name))
        of_rules = {name: reads[name] for name in part.rules}
        remember(database, record._replace(rules=part.rules, views=part.views, reads=of_rules))
    return _found(database, schemas.code)


def _require_judged(database: Database, added: Iterable[Schema]) -> None:
    """Raise `ValidationError` where what is there breaks a rule of an extension that was added, or has had a migration."""
    found = checks.violations(database, [rule for schema in added for rule in schema.rules])
    if found:
        listed = some([each.detail + checks.whose(each.rule) for each in found])
        raise ValidationError(f"what the catalogue holds breaks rules of its extensions: {listed}", violations=found)


def require_current(database: Database, schemas: Schemas) -> None:
    """Raise `ResourceError` unless the open catalogue still has, word for word, its schema, rules and triggers."""
    for refusal in schemas.refusals.values():
        raise ResourceError(refusal)
    now = _found(database, schemas.code)
    if (now.version, now.records) != (schemas.version, schemas.records) or (
        schemas.views_among(_views(database)) != schemas.views
    ):
        raise ResourceError(
            f"another program has changed the schema or the rules of catalogue {database.path!r}: open it again, which "
            "restores the rules"
        )
    require_own_triggers(database, schemas)
    _require_unaltered(database, schemas.all)


def _require_unaltered(database: Database, made: Mapping[tuple[str, str], str]) -> None:
    """Raise `ResourceError` unless all of it is there, word for word."""
    try:
        found = _altered(database.connection, made)
    except (apsw.Error, UnicodeError) as error:
        raise database.transaction.refusal(error) from error
    if found:
        raise ResourceError(
            f"another program has changed the schema of catalogue {database.path!r} ({some(found, between=', ')}): "
            "restore a backup; it can be read meanwhile"
        )


def _altered(connection: apsw.Connection, made: Mapping[tuple[str, str], str]) -> list[str]:
    there = stored(connection.execute)
    return [f"{kind} {name!r}" for (kind, name), sql in made.items() if there.get((kind, name)) != sql]


def foreign_triggers(database: Database, schemas: Schemas) -> list[tuple[str, str]]:
    """Name and table of the triggers on our tables that are not, word for word, what the migrations so far have made."""
    ours = schemas.made
    rows = database.execute("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
    return [
        (str(name), str(table))
        for name, table, sql in rows
        if ("table", str(table).lower()) in ours and ours.get(("trigger", name)) != sql
    ]


def require_own_triggers(database: Database, schemas: Schemas) -> None:
    """Raise `ResourceError` where a trigger that is somebody else's would run with what we write."""
    found = foreign_triggers(database, schemas)
    if found:
        listed = some([f"{name!r} (on {table})" for name, table in found], between=", ")
        raise ResourceError(
            f"catalogue {database.path!r} has triggers on its own tables that are not this library's: {listed}. They could "
            "change rows behind an operation's back, or never end: drop them (DROP TRIGGER, in the sqlite3 shell). It can be "
            "read meanwhile, and tables of your own may have triggers"
        )


def _refuse_impostors(path: str, views: Iterable[str], schemas: Schemas) -> None:
    """A view with the name of a table would run somebody else's query wherever the catalogue is read."""
    for name in views:
        if name not in schemas.views and ("table", name.lower()) in schemas.made:
            raise ResourceError(f"in catalogue {path!r}, {name!r} is a view instead of a table: restore a backup")


def _back_up(database: Database, version: int) -> list[str]:
    """Copy the file as it was committed, by a connection of its own: that of the open unit could not make a copy."""
    if database.path == MEMORY:
        return []
    copy = f"{database.path}.v{version}.{re.sub('[-:]', '', utc_now())}.bak"
    with Database(database.path, read_only=True) as committed:
        committed.backup(copy)
    logger.info("catalogue_copied_before_migration", copy=copy)
    return [copy]
