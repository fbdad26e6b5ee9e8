"""What judges: the rule views, SQLite's own checks, and nothing that writes."""

from __future__ import annotations

from collections.abc import Collection

from retrovue_uow.model import Violation
from retrovue_uow.store.database import Database


def violations(db: Database, rules: Collection[str] | None = None) -> list[Violation]:
    """The rows that break one of `rules`, or any rule, in the whole catalogue."""
    if rules is None:
        rows = db.execute("SELECT rule, subject, id, detail FROM violation")
        return [Violation(*map(str, row)) for row in rows]
    found: list[Violation] = []
    for rule in rules:
        rows = db.execute(f"SELECT rule, subject, id, detail FROM {rule}")  # noqa: S608  a rule's name, not input
        found.extend(Violation(*map(str, row)) for row in rows)
    return found


def asset_violations(db: Database, rules: Collection[str], asset_id: str) -> list[Violation]:
    """The violations of one asset, served by its key."""
    found: list[Violation] = []
    for rule in rules:
        rows = db.execute(
            f"SELECT rule, subject, id, detail FROM {rule} WHERE subject = 'asset' AND id = ?",  # noqa: S608  as above
            (asset_id,),
        )
        found.extend(Violation(*map(str, row)) for row in rows)
    return found


def broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing."""
    rows = db.execute('SELECT "table", rowid, parent FROM pragma_foreign_key_check')
    return [
        Violation(
            "foreign_key",
            str(table),
            str(rowid),
            f"row {rowid} of {table} refers to a row of {parent} that is not there",
        )
        for table, rowid, parent in rows
    ]


def damage(db: Database) -> list[Violation]:
    """What SQLite's own `integrity_check` finds wrong with the file."""
    rows = db.execute("PRAGMA integrity_check")
    return [Violation("integrity_check", "file", db.path, str(row[0])) for row in rows if row[0] != "ok"]
