"""The journal: a row for each unit of work that was committed, with what it changed, and one for each operation in it.

Units are ordered as they were committed, not by the clock.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from retrovue_uow.errors import ResourceError, ValidationError, loading
from retrovue_uow.model import JournalOperation, JournalUnit, RowChange, as_json, summary
from retrovue_uow.secrets import redacted
from retrovue_uow.store import extensions
from retrovue_uow.store.ids import from_json
from retrovue_uow.store.rows import shown
from retrovue_uow.uow.changes import HAS_SESSIONS, NOT_HAD, ChangeKind, Changeset, Key, decompressed
from retrovue_uow.uow.database import Database, Row, Value

JOURNAL_TABLES = ("unit_of_work", "operation")
UNDO = "unit_undo"
"""Name of the operation that undoes a unit; its argument `unit_id` says which."""

_FIND = """
SELECT id, started_at, committed_at, pid, library_version, schema_version, counts, length(changeset) IS NOT NULL, extensions
  FROM unit_of_work
"""
"""Of a changeset itself, which may be large, SQLite would read all to say that it is not NULL."""


def close_unit(db: Database, unit_id: str, *, committed_at: str, changeset: Changeset | None) -> None:
    """Write when a unit was committed, just before it is, and what it changed."""
    record: tuple[Value, ...] = None, None, None, None
    if changeset is not None:
        record = json_text(changeset.counts), changeset.digest(unit_id), changeset.compressed(), len(changeset.content)
    db.execute(
        """
        UPDATE unit_of_work
           SET committed_at = ?,
               counts = ?,
               digest = ?,
               changeset = ?,
               unpacked_bytes = ?,
               extensions = (SELECT nullif(json_group_object(name, version), '{}')
                               FROM extension
                              WHERE EXISTS (SELECT 1 FROM json_each(?2) WHERE key GLOB extension.name || '_*'))
         WHERE id = ?
        """,
        (committed_at, *record, unit_id),
    )


def expire_changesets(db: Database, *, units: int, size: int) -> None:
    """Drop the changesets of all but the newest units, as far as they exceed a number or a size in bytes."""
    db.execute(
        """
        UPDATE unit_of_work
           SET changeset = NULL
         WHERE changeset IS NOT NULL
           AND rowid <= (SELECT number
                           FROM (SELECT rowid AS number,
                                        row_number() OVER newest AS position,
                                        sum(length(changeset)) OVER newest AS bytes
                                   FROM unit_of_work
                                  WHERE changeset IS NOT NULL
                                 WINDOW newest AS (ORDER BY rowid DESC ROWS UNBOUNDED PRECEDING))
                          WHERE position > ?
                             OR bytes > ?
                          ORDER BY number DESC
                          LIMIT 1)
        """,
        (units, size),
    )


@cache
def library_version() -> str:
    """The installed version of this library."""
    with loading("the version of this library"):
        from importlib.metadata import version  # slow to import, and only who writes needs it

        return version("retrovue_uow")


def add_operation(
    db: Database,
    unit_id: str,
    *,
    unit_started_at: str,
    name: str,
    arguments: Mapping[str, object],
    result: object,
    started_at: str,
    duration_ms: int,
) -> None:
    """Write the row of an operation, and that of the open unit, if it is not there."""
    db.execute(
        """
        INSERT INTO unit_of_work (id, started_at, committed_at, pid, library_version, schema_version)
        SELECT ?1, ?2, ?2, ?3, ?4, user_version
          FROM pragma_user_version
         WHERE true
            ON CONFLICT (id) DO NOTHING
        """,
        (unit_id, unit_started_at, os.getpid(), library_version()),
    )
    told = json_text(redacted(as_json(arguments))), json_text(redacted(as_json(summary(result))))
    db.execute(
        """
        INSERT INTO operation (unit_id, name, arguments, result, started_at, duration_ms)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        (unit_id, name, *told, started_at, duration_ms),
    )


def operations_of_unit(db: Database, unit_id: str) -> int:
    ((count,),) = db.execute("SELECT count(*) FROM operation WHERE unit_id = ?", (unit_id,))
    return int(count)


def newest_units(db: Database, limit: int) -> list[JournalUnit]:
    """The units that were committed last, the newest first."""
    return _units(db, db.execute(_FIND + " ORDER BY rowid DESC LIMIT ?", (limit,)))


def units_since(db: Database, unit_id: str, limit: int) -> list[JournalUnit]:
    """The units that were committed after another one, the oldest first.

    A unit gets its rowid under the write lock, which it holds until its COMMIT, and no row is ever removed: what is committed
    later has a greater one, so that nothing can come up between two that were seen.
    """
    after = " WHERE rowid > (SELECT rowid FROM unit_of_work WHERE id = ?) ORDER BY rowid LIMIT ?"
    return _units(db, db.execute(_FIND + after, (unit_id, limit)))


def unit(db: Database, unit_id: str) -> JournalUnit | None:
    return next(iter(_units(db, db.execute(_FIND + " WHERE id = ?", (unit_id,)))), None)


def last_unit_of(db: Database, operation: str, collection_id: str) -> JournalUnit | None:
    """The unit in which an operation was last done on a collection, as far as its result names that."""
    rows = db.execute(
        """
        SELECT unit_id
          FROM operation
         WHERE name = ?
           AND json_extract(result, '$.collection.id') = ?
         ORDER BY id DESC
         LIMIT 1
        """,
        (operation, collection_id),
    )
    return unit(db, str(rows[0][0])) if rows else None


def undo_store(db: Database) -> tuple[int, int]:
    """How many units are recorded so that they can be undone, and how many bytes that takes."""
    ((units, size),) = db.execute(
        "SELECT count(*), ifnull(sum(length(changeset)), 0) FROM unit_of_work WHERE changeset IS NOT NULL"
    )
    return units, size


def is_detached(db: Database, collection_id: str, type_: str) -> bool:
    """Whether an enricher was ever taken from a collection."""
    rows = db.execute(
        """
        SELECT 1
          FROM operation
         WHERE name = 'enricher_detach'
           AND json_extract(result, '$.id') = ?
           AND json_extract(arguments, '$.type') = ?
         LIMIT 1
        """,
        (collection_id, type_),
    )
    return bool(rows)


def bookkeeping(db: Database) -> list[tuple[str, int, bool]]:
    """Of each unit: its identifier, how many operations it has, and whether its changes are recorded."""
    rows = db.execute(
        """
        SELECT id,
               (SELECT count(*) FROM operation WHERE operation.unit_id = unit_of_work.id),
               length(changeset) IS NOT NULL
          FROM unit_of_work
         ORDER BY rowid
        """
    )
    return [(id_, operations, bool(is_recorded)) for id_, operations, is_recorded in rows]


def recorded_units(
    db: Database, table: str | None = None, kind: ChangeKind | None = None, *, after: str | None = None, at: str | None = None
) -> list[JournalUnit]:
    """The units whose changesets are there, the oldest first.

    Args:
        table: Only those that changed rows of it.
        kind: Only those that changed rows of `table` in this way.
        after: Only those after the unit with this identifier.
        at: Only the one that was under way then (UTC text). The write lock keeps two apart, unless the clock was set back.
    """
    rows = db.execute(
        _FIND  # noqa: S608  both texts are ours
        + """
 WHERE changeset IS NOT NULL
   AND (?1 IS NULL OR iif(json_valid(counts), json_extract(counts, ?1) IS NOT NULL, true))
   AND (?2 IS NULL OR rowid > (SELECT rowid FROM unit_of_work WHERE id = ?2))
   AND (?3 IS NULL OR ?3 BETWEEN started_at AND committed_at)
 ORDER BY rowid
""",
        (None if table is None else f'$."{table}"' + (f".{kind}" if kind else ""), after, at),
    )
    return _units(db, rows)


def recorded(db: Database, unit: JournalUnit, *, inverted: bool = False) -> Changeset:
    """The changeset of a unit, or the one that undoes it.

    Raises:
        ValidationError: Its record has expired or is damaged, or the tables have another shape now.
        ResourceError: This SQLite cannot read it.
    """
    reshaped = reshaped_since(db, unit)
    if reshaped:
        raise ValidationError(f"table {reshaped[0]!r} has another shape now than when unit {unit.id!r} was recorded")
    changeset = record(db, unit).inverted() if inverted else record(db, unit)
    changeset.require_fitting()
    return changeset


def reshaped_since(db: Database, unit: JournalUnit) -> list[str]:
    """The tables in which a unit changed rows, and whose columns a migration has changed since, but for more at the end."""
    now, then, gone = db.shape.columns, dict[str, Sequence[str]](), list[str]()
    if unit.schema_version != len(extensions.own().migrations):
        then.update(extensions.columns_at(unit.schema_version))
    known = extensions.records(db) if unit.extensions else {}
    for name, version in unit.extensions.items():
        if name in known and version <= known[name].version:
            then.update(known[name].columns[version - 1] if version else {})  # before its first migration, all are by hand
        else:
            gone += [table for table in unit.counts or {} if extensions.is_of(name, table)]
    reshaped = [
        table for table in unit.counts or {} if table in then and then[table] != [*now.get(table, ())][: len(then[table])]
    ]
    return gone + reshaped


def record(db: Database, unit: JournalUnit) -> Changeset:
    """What a unit changed, as it was recorded, whether or not it fits the tables. Raises what `recorded` raises otherwise."""
    if not HAS_SESSIONS:
        raise ResourceError(NOT_HAD)
    rows = db.execute(
        """
        SELECT changeset, digest, unpacked_bytes
          FROM unit_of_work
         WHERE id = ?
           AND changeset IS NOT NULL
        """,
        (unit.id,),
    )
    if not rows:
        raise ValidationError(
            f"what unit {unit.id!r} changed is no longer recorded row by row, so it can be neither told nor undone: the "
            "newest units alone are kept so (`undo_units` and `undo_bytes` of the catalogue)"
        )
    ((content, digest, size),) = rows
    return decompressed(content, digest, size, db.shape, unit_id=unit.id)


def last_unit_that_changed(db: Database, table: str, key: Key, *, after: JournalUnit) -> JournalUnit | None:
    """The newest of the units committed after another one that changed a row; None if the journal knows of none."""
    units = recorded_units(db, table, after=after.id)
    return next((unit for unit in reversed(units) if _row_of(db, unit, table, key) is not None), None)


def changed_since(db: Database, unit: JournalUnit) -> list[Changeset]:
    """The recorded changes since a unit, joined while neither the schema nor an extension of theirs has another version."""
    joined, versions = list[list[Changeset]](), dict[str, int]()
    for each in recorded_units(db, after=unit.id):
        its_versions = {"": each.schema_version, **each.extensions}
        if not joined or any(versions.get(name, version) != version for name, version in its_versions.items()):
            joined.append([])
            versions.clear()
        versions |= its_versions
        joined[-1].append(record(db, each))
    return [first.followed_by(*others) for first, *others in joined]


def changes_of(db: Database, table: str, key: Key, kind: ChangeKind) -> Iterator[tuple[JournalUnit, RowChange]]:
    """The recorded units that changed a row in one way, with the change, the oldest first."""
    for unit in recorded_units(db, table, kind):
        row = _row_of(db, unit, table, key)
        if row is not None and row.kind == kind:
            yield unit, row


def _row_of(db: Database, unit: JournalUnit, table: str, key: Key) -> RowChange | None:
    found = record(db, unit).find(table, key)
    return None if found is None else shown(found)


def _units(db: Database, rows: Sequence[Row]) -> list[JournalUnit]:
    operations = _operations(db, [str(row[0]) for row in rows])
    undoing = [
        (by, str(from_json(arguments, dict, column="operation.arguments").get("unit_id")))
        for by, arguments in db.execute("SELECT unit_id, arguments FROM operation WHERE name = ? ORDER BY id", (UNDO,))
    ]
    undone = _undone(undoing)
    return [
        JournalUnit(
            id=id_,
            started_at=started_at,
            committed_at=committed_at,
            pid=pid,
            library_version=library_version,
            schema_version=schema_version,
            operations=tuple(operations[id_]),
            counts=None if counts is None else from_json(counts, dict, column="unit_of_work.counts"),
            is_recorded=bool(is_recorded),
            undoes=tuple(target for by, target in undoing if by == id_),
            undone_by=undone.get(id_),
            extensions={} if versions is None else from_json(versions, dict, column="unit_of_work.extensions"),
        )
        for id_, started_at, committed_at, pid, library_version, schema_version, counts, is_recorded, versions in rows
    ]


def _operations(db: Database, unit_ids: Sequence[str]) -> dict[str, list[JournalOperation]]:
    rows = db.execute(
        """
        SELECT unit_id, name, arguments, result, started_at, duration_ms
          FROM operation
         WHERE unit_id IN (SELECT value FROM json_each(?))
         ORDER BY id
        """,
        (json.dumps(unit_ids),),
    )
    found: dict[str, list[JournalOperation]] = defaultdict(list)
    for unit_id, name, arguments, result, started_at, duration_ms in rows:
        found[unit_id].append(
            JournalOperation(
                name,
                from_json(arguments, dict, column="operation.arguments"),
                from_json(result, object, column="operation.result"),
                started_at,
                duration_ms,
            )
        )
    return found


def _undone(undoing: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The units that are undone now, and by which: an undo that was undone itself does not count."""
    undone: dict[str, str] = {}
    for by, target in reversed(undoing):
        if by not in undone:
            undone[target] = by
    return undone


def json_text(value: object) -> str:
    """`value` as JSON, lone surrogates as escapes. Raises `TypeError` or `ValueError` where it is none."""
    text = json.dumps(as_json(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()
