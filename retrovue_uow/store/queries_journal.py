"""What asks and writes the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping

from retrovue_uow.model import as_json
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


def close_unit(db: Database, unit_id: str, *, committed_at: str) -> None:
    """Note when a unit was committed, just before it is."""
    db.execute("UPDATE unit_of_work SET committed_at = ? WHERE id = ?", (committed_at, unit_id))


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
        (unit_id, name, _text(arguments), _text(result), started_at, duration_ms),
    )


def operations_of_unit(db: Database, unit_id: str) -> int:
    """How many operations the journal has of a unit."""
    ((count,),) = db.execute("SELECT count(*) FROM operation WHERE unit_id = ?", (unit_id,))
    return int(count)


def _text(value: object) -> str:
    return json.dumps(as_json(value), ensure_ascii=False)
