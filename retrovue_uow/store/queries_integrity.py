"""What judges: the rule views and SQLite's own checks, over the touched rows or over everything; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection

from retrovue_uow.model import Violation
from retrovue_uow.store import touched
from retrovue_uow.store.database import Database
from retrovue_uow.store.shape import Shape, read_shape

_TOUCHED = "WHERE subject = ?1 AND id IN (SELECT id FROM temp.touched WHERE subject = ?1)"


def violations(db: Database, rules: Collection[str] = ("violation",)) -> list[Violation]:
    """The rows that break one of `rules`, or any rule: those of them that were touched, where the rules are narrowed."""
    if not touched.is_narrowed(db):
        return _violations(db, rules, "")
    return [violation for subject in touched.subjects(db) for violation in _violations(db, rules, _TOUCHED, subject)]


def all_violations(db: Database) -> list[Violation]:
    """The rows that break any rule, in the whole catalogue."""
    return _violations(db, ("violation",), "")


def asset_violations(db: Database, rules: Collection[str], asset_id: str) -> list[Violation]:
    """The violations of one asset, served by its key."""
    return _violations(db, rules, "WHERE subject = 'asset' AND id = ?", asset_id)


def _violations(db: Database, rules: Collection[str], where: str, *params: str) -> list[Violation]:
    found: list[Violation] = []
    for rule in rules:
        rows = db.execute(f"SELECT rule, subject, id, detail FROM main.{rule} {where}", params)  # noqa: S608  names, not input
        found.extend(Violation(*map(str, row)) for row in rows)
    return found


def broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing: those of them that were touched, where the rules are narrowed."""
    if touched.is_narrowed(db):
        return _broken_references_of_touched(db, read_shape(db))
    return all_broken_references(db)


def all_broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing, in the whole catalogue."""
    rows = db.execute('SELECT "table", rowid, parent FROM pragma_foreign_key_check')
    return [_broken(table, rowid, parent) for table, rowid, parent in rows]


def _broken_references_of_touched(db: Database, shape: Shape) -> list[Violation]:
    found: list[Violation] = []
    for reference in shape.references:
        rows = db.execute(
            f"""
            SELECT child.rowid
              FROM temp.touched
              JOIN main.{reference.child} AS child ON child.{shape.keys[reference.child]} = touched.id
             WHERE touched.subject = '{reference.child}'
               AND child.{reference.column} IS NOT NULL
               AND NOT EXISTS (SELECT 1
                                 FROM main.{reference.parent} AS parent
                                WHERE parent.{shape.keys[reference.parent]} = child.{reference.column})
            """  # noqa: S608  the names are the schema's
        )
        found.extend(_broken(reference.child, rowid, reference.parent) for (rowid,) in rows)
    return found


def _broken(table: str, rowid: int, parent: str) -> Violation:
    detail = f"row {rowid} of {table} refers to a row of {parent} that is not there"
    return Violation("foreign_key", table, str(rowid), detail)


def damage(db: Database) -> list[Violation]:
    """What SQLite's own `integrity_check` finds wrong with the file."""
    rows = db.execute("PRAGMA integrity_check")
    return [Violation("integrity_check", "file", db.path, str(row[0])) for row in rows if row[0] != "ok"]
