"""What asks and writes the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping

from retrovue_uow.model import as_json
from retrovue_uow.store.changes import Changeset
from retrovue_uow.store.database import Database


def ensure_unit(db: Database, unit_id: str, *, started_at: str, pid: int, library_version: str) -> None:
    """Write the row of the open unit, if it is not there."""
    db.execute(
        """
        INSERT INTO unit_of_work (id, started_at, committed_at, pid, library_version, schema_version)
        SELECT ?1, ?2, ?2, ?3, ?4, user_version
          FROM pragma_user_version
         WHERE true
            ON CONFLICT (id) DO NOTHING
        """,
        (unit_id, started_at, pid, library_version),
    )


def close_unit(db: Database, unit_id: str, *, committed_at: str, changeset: Changeset | None) -> None:
    """Write when a unit was committed, just before it is, and what it changed."""
    db.execute(
        """
        UPDATE unit_of_work
           SET committed_at = ?,
               counts = ?,
               digest = ?,
               changeset = ?
         WHERE id = ?
        """,
        (
            committed_at,
            None if changeset is None else json_text(changeset.counts),
            None if changeset is None else changeset.digest,
            None if changeset is None else changeset.compressed(),
            unit_id,
        ),
    )


def expire_changesets(db: Database, *, units: int, size: int) -> None:
    """Drop the changesets of all but the newest units, as far as they exceed a number or a size in bytes."""
    db.execute(
        """
        UPDATE unit_of_work
           SET changeset = NULL
         WHERE changeset IS NOT NULL
           AND id <= (SELECT id
                        FROM (SELECT id,
                                     row_number() OVER newest AS position,
                                     sum(length(changeset)) OVER newest AS bytes
                                FROM unit_of_work
                               WHERE changeset IS NOT NULL
                              WINDOW newest AS (ORDER BY id DESC ROWS UNBOUNDED PRECEDING))
                       WHERE position > ?
                          OR bytes > ?
                       ORDER BY id DESC
                       LIMIT 1)
        """,
        (units, size),
    )


def add_operation(
    db: Database,
    unit_id: str,
    *,
    name: str,
    arguments: Mapping[str, object],
    result: object,
    started_at: str,
    duration_ms: int,
) -> None:
    """Write the row of an operation; that of its unit is there."""
    db.execute(
        """
        INSERT INTO operation (unit_id, name, arguments, result, started_at, duration_ms)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        (unit_id, name, json_text(arguments), json_text(result), started_at, duration_ms),
    )


def operations_of_unit(db: Database, unit_id: str) -> int:
    """How many operations the journal has of a unit."""
    ((count,),) = db.execute("SELECT count(*) FROM operation WHERE unit_id = ?", (unit_id,))
    return int(count)


def json_text(value: object) -> str:
    """`value` as JSON, lone surrogates as escapes. Raises `TypeError` or `ValueError` where it is none."""
    text = json.dumps(as_json(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()
