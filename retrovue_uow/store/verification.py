"""What can be wrong with a catalogue beyond its rows: file, schema, settings, journal. Nothing here writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import apsw

from retrovue_uow.errors import ContractError, ResourceError, RetroVueError, Violation
from retrovue_uow.store import extensions, journal, migrations
from retrovue_uow.uow.changes import HAS_SESSIONS
from retrovue_uow.uow.connection import wrong_settings
from retrovue_uow.uow.database import Database

_OF_LITESTREAM = frozenset({"_litestream_seq", "_litestream_lock"})
"""What replication by Litestream keeps in the file that it replicates, and nobody else writes."""


def listed(db: Database, find: Callable[[Database], Iterable[Violation]]) -> Iterator[Violation]:
    """Yields the violations that `find` finds; damage that stops it is the last one.

    Raises:
        ResourceError: Something else than damage was in the way: a lock, a disk that is gone.
    """
    try:
        yield from find(db)
    except (ResourceError, ContractError) as error:
        if isinstance(error.__cause__, apsw.Error) and not isinstance(error.__cause__, apsw.CorruptError | apsw.SQLError):
            raise
        yield Violation("damage", "file", db.path, str(error))


def damage(db: Database) -> Iterator[Violation]:
    """What SQLite's own `integrity_check` finds wrong with the file."""
    for (text,) in db.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield Violation("integrity_check", "file", db.path, str(text))
    if db.is_read_only:  # where SQLite does not even read what CHECK says
        yield from _wrong_json(db)


_JSON = {
    ("source", "config"): "object",
    ("collection_enricher", "config"): "object",
    ("asset_metadata", "document"): "object",
    ("assignment", "episode_numbers"): "array",
    ("operation", "arguments"): "object",
    ("operation", "result"): None,
    ("unit_of_work", "counts"): "object",
}
"""Which columns hold JSON, and of what type; None: of any."""


def _wrong_json(db: Database) -> Iterator[Violation]:
    for (table, column), kind in _JSON.items():
        rows = db.execute(
            f"""
            SELECT id
              FROM {table}
             WHERE {column} IS NOT NULL
               AND NOT iif(json_valid({column}), json_type({column}) = ifnull(?1, json_type({column})), false)
            """,  # noqa: S608  the names are those above
            (kind,),
        )
        for (id_,) in rows:
            detail = f"column {column} of {table} {id_!r} does not hold the JSON that it must: restore a backup"
            yield Violation("json", table, str(id_), detail)


def wrong_schema(db: Database, schemas: migrations.Schemas) -> Iterator[Violation]:
    """Tables, indexes, triggers and rules that are not as the migrations made them, and what others put on our tables."""
    there, ours = extensions.stored(db.execute), schemas.all
    for (kind, name), sql in ours.items():
        if (found := there.get((kind, name))) != sql:
            wrong = "is missing: restore a backup" if found is None else "is not as this library made it"
            if kind == "view":  # which an opening for writing makes anew
                wrong = "is not this version's, so no rule could judge: open the catalogue once for writing"
            yield Violation("schema", kind, name, f"{kind} {name!r} {wrong}")
    for name, table in migrations.foreign_triggers(db, schemas):
        if ("trigger", name) not in ours:
            yield Violation("schema", "trigger", name, f"trigger {name!r} on table {table!r} is not this library's: drop it")
    for name in db.shape.unkeyed:
        if name not in _OF_LITESTREAM:
            yield Violation(
                "schema", "table", name, f"table {name!r} has no primary key of one column: its changes go unrecorded"
            )


def unusual_extensions(schemas: migrations.Schemas) -> Iterator[Violation]:
    """Extensions whose code is not at hand, or is older than the file."""
    for name in schemas.records.keys() - schemas.code.keys():
        yield Violation(
            "extension", "extension", name, f"the code of extension {name!r} is not at hand: its rules judge all the same"
        )
    for name, refusal in schemas.refusals.items():
        yield Violation("extension", "extension", name, refusal)


def wrong_connection(db: Database) -> Iterator[Violation]:
    """Settings of the file and of the connection that are not what they were set to when it was opened."""
    for name, wanted, actual in wrong_settings(db.connection, db.path, read_only=db.is_read_only):
        yield Violation("setting", "connection", name, f"{name} is {actual!r} and must be {wanted!r}: open the catalogue again")


def wrong_journal(db: Database) -> Iterator[Violation]:
    """Units that name no operation, or whose record of changes is not what was written."""
    for unit_id, operations, is_recorded in journal.bookkeeping(db):
        if operations == 0:
            yield _of_unit(unit_id, "has no operation")
        try:
            unit = journal.unit(db, unit_id)
            if unit is None or not is_recorded or not HAS_SESSIONS:
                continue
            changeset = journal.record(db, unit)
            is_wrong = not changeset.keys.misfits and changeset.counts != unit.counts
        except RetroVueError as error:
            yield _of_unit(unit_id, f"cannot be read: {error}")
            continue
        if is_wrong:
            yield _of_unit(unit_id, "does not count the changes that it recorded")


def _of_unit(unit_id: str, what: str) -> Violation:
    return Violation("journal", "unit_of_work", unit_id, f"unit {unit_id!r} {what}")
