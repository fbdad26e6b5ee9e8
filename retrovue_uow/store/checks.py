"""What judges the rows: the rule views and the references, over the touched rows or over everything; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Set

from retrovue_uow.errors import Violation
from retrovue_uow.store import touched
from retrovue_uow.store.journal import JOURNAL_TABLES
from retrovue_uow.store.migrations import rule_names
from retrovue_uow.uow.changes import Key
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.tables import Shape, quoted

_TOUCHED = "WHERE subject = ?1 AND id IN (SELECT id FROM temp.touched WHERE subject = ?1)"
REFERENCES = "foreign_key"
"""The rule, no view, that every reference points at a row."""


def has_judged_all(judged: Set[str]) -> bool:
    """Whether every rule was among those that have looked."""
    return REFERENCES in judged and ("violation" in judged or judged >= rule_names())


def violations(db: Database, rules: Collection[str] = ("violation",)) -> list[Violation]:
    """The rows that break one of `rules`, or any rule: those of them that were touched, where the rules are narrowed."""
    narrowing = touched.narrowing(db)
    if narrowing is None:
        return _violations(db, rules, "")
    found = [violation for subject in narrowing.subjects for violation in _violations(db, rules, _TOUCHED, subject)]
    narrowing.judged.update(rules)
    return found


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
    """Rows whose foreign key points at nothing: those of them that were touched, where the rules are narrowed.

    SQLite's own count of what a unit has broken is no answer: applying a changeset, or `PRAGMA defer_foreign_keys`, resets it.
    """
    narrowing = touched.narrowing(db)
    if narrowing is None:
        return all_broken_references(db)
    narrowing.judged.add(REFERENCES)
    return _broken_references_of_touched(db, db.shape)


def all_broken_references(db: Database) -> list[Violation]:
    """Rows whose foreign key points at nothing, in the whole catalogue."""
    shape = db.shape
    unrecorded = set(shape.unkeyed)
    found = [
        _broken(table, row, parent)
        for table, row, parent in db.execute('SELECT "table", rowid, parent FROM pragma_foreign_key_check')
        if table in JOURNAL_TABLES or table in unrecorded  # named by their row numbers, as far as they have any
    ]
    for table, key in shape.keys.items():
        references = shape.of_child(table)
        if references:
            any_is_broken = " OR ".join(reference.is_broken for reference in references)
            rows = db.execute(f"SELECT {quoted(key)} FROM main.{quoted(table)} AS child WHERE {any_is_broken}")  # noqa: S608  the schema's
            found.extend(
                _broken(table, own_key, parent) for (own_key,) in rows for parent, _ in missing_parents(db, table, own_key)
            )
    return found


def _broken_references_of_touched(db: Database, shape: Shape) -> list[Violation]:
    found: list[Violation] = []
    for table, key in shape.keys.items():
        references = shape.of_child(table)
        if not references:
            continue
        any_is_broken = " OR ".join(reference.is_broken for reference in references)
        rows = db.execute(
            f"""
            SELECT child.{quoted(key)}
              FROM temp.touched
              JOIN main.{quoted(table)} AS child ON child.{quoted(key)} = touched.id
             WHERE touched.subject = ?
               AND ({any_is_broken})
            """,  # noqa: S608  the names are the schema's
            (table,),
        )
        for (child_key,) in rows:
            found.extend(_broken(table, child_key, parent) for parent, _ in missing_parents(db, table, child_key))
    return found


def missing_parents(db: Database, table: str, key: Key) -> list[tuple[str, Key]]:
    """The rows that a row refers to and that are not there: their table and key, or the first of the columns referred to."""
    shape = db.shape
    found: list[tuple[str, Key]] = []
    for reference in shape.of_child(table):
        rows = db.execute(
            f"""
            SELECT child.{quoted(reference.column)}
              FROM main.{quoted(table)} AS child
             WHERE child.{quoted(shape.keys[table])} = ?
               AND {reference.is_broken}
            """,  # noqa: S608  the names are the schema's
            (key,),
        )
        found.extend((reference.parent, parent_key) for (parent_key,) in rows)
    return found


def _broken(table: str, key: Key | None, parent: str) -> Violation:
    shown = key.hex() if isinstance(key, bytes) else key
    detail = f"row {shown} of {table} refers to a row of {parent} that is not there"
    return Violation(REFERENCES, table, str(shown), detail)
