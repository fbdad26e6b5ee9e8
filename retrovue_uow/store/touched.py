"""Which rows the rules must look at again: those that changed, those they hang on, and those that hung on what is gone."""

from __future__ import annotations

import json
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import attrs

from retrovue_uow.uow.changes import Changeset, Key
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.tables import Reference, Shape, quoted

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS touched (
    subject TEXT NOT NULL,                                          -- table
    id      ANY NOT NULL,                                           -- primary key of the row
    change  TEXT NOT NULL,                                          -- INSERT, UPDATE; '': it is near a changed one
    PRIMARY KEY (subject, id)
) STRICT, WITHOUT ROWID
"""


_COMPARED = ("title_spelling",)
"""Small tables whose rows a rule holds against each other: where one of them changed or went, all are looked at."""


@attrs.frozen
class Narrowing:
    """What the rules look at, and which have looked.

    Attributes:
        subjects: The tables that have rows in `temp.touched`.
        judged: Names of the rule views that were asked about all of those rows.
    """

    subjects: list[str]
    judged: set[str] = attrs.field(factory=set)


_narrowed: weakref.WeakKeyDictionary[Database, Narrowing] = weakref.WeakKeyDictionary()


def narrowing(db: Database) -> Narrowing | None:
    """What the rules look at only; None: they look at the whole catalogue."""
    return _narrowed.get(db)


@contextmanager
def narrowed(db: Database, changeset: Changeset) -> Iterator[Narrowing]:
    """Within the block the rules look at the rows that `changeset` touches."""
    _narrowed[db] = Narrowing(fill(db, changeset))
    try:
        yield _narrowed[db]
    finally:
        del _narrowed[db]


def fill(db: Database, changeset: Changeset) -> list[str]:
    """Put the rows that `changeset` touches, and that are there, into `temp.touched`, in place of others. Their tables."""
    db.execute(_TABLE)
    db.execute("DELETE FROM temp.touched")
    glance, shape = changeset.glance, changeset.shape
    for table in shape.keys:
        changed = glance.changed[table]
        for change in ("INSERT", "UPDATE"):
            _add(db, table, change, changed[change])
        _add(db, table, "", glance.parents[table].difference(*changed.values()))
    for reference in shape.references:
        _add_related(db, changeset, reference)
    for table in _COMPARED:
        if glance.changed[table]["UPDATE"] or glance.changed[table]["DELETE"]:
            every_row = f"INSERT OR IGNORE INTO temp.touched (subject, id, change) SELECT '{table}', id, '' FROM {table}"  # noqa: S608
            db.execute(every_row)
    return [table for (table,) in db.execute("SELECT DISTINCT subject FROM temp.touched")]


def _add_related(db: Database, changeset: Changeset, reference: Reference) -> None:
    """The rows on either side of a reference that the keys of changed rows do not tell."""
    shape, changed = changeset.shape, changeset.glance.changed
    if not reference.is_to_key:
        if changed[reference.parent]["UPDATE"] or changed[reference.parent]["DELETE"]:
            _add_broken_children(db, shape, reference)
        return
    if changed[reference.child]["UPDATE"]:
        _add_parents_of_updated(db, shape, reference)
    if changed[reference.parent]["DELETE"]:
        _add_children_of_deleted(db, shape, reference, changed[reference.parent]["DELETE"])


def _for_each(db: Database, sql: str, keys: Collection[Key], *params: str) -> None:
    """Run `sql` with `{keys}` standing for the keys: for all at once, where JSON has such keys, and else for one by one."""
    if all(isinstance(key, str | int) for key in keys):
        db.execute(sql.format(keys="json_each(?1)"), (json.dumps(list(keys)), *params))
    else:
        db.executemany(sql.format(keys="(SELECT ?1 AS value)"), [(key, *params) for key in keys])


def _add(db: Database, table: str, change: str, keys: Collection[Key]) -> None:
    if keys:
        _for_each(db, "INSERT INTO temp.touched (subject, id, change) SELECT ?2, value, ?3 FROM {keys}", keys, table, change)


def above(db: Database, changeset: Changeset, table: str) -> set[Key]:
    """The keys of the rows of `table` that changed, or that a changed row is below, through however many references."""
    shape = changeset.shape
    glance = changeset.glance
    keys = {subject: glance.parents[subject].union(*glance.changed[subject].values()) for subject in shape.keys}
    for child in shape.keys:  # children come before their parents
        told = glance.changed[child]["INSERT"], glance.changed[child]["DELETE"]  # with all that they refer to
        asked = keys[child].difference(*told)
        for reference in shape.of_child(child):
            if asked and reference.is_to_key and table in shape.ancestors(reference.parent):
                keys[reference.parent] |= _parents(db, shape, reference, asked)
    return keys[table]


def _parents(db: Database, shape: Shape, reference: Reference, keys: set[Key]) -> set[Key]:
    column, own_key = quoted(reference.column), quoted(shape.keys[reference.child])
    asked = f"SELECT {column} FROM {quoted(reference.child)} WHERE {own_key} = ? AND {column} IS NOT NULL"  # noqa: S608  the schema's
    return {row[0] for key in keys for row in db.execute(asked, (key,))}


def _add_parents_of_updated(db: Database, shape: Shape, reference: Reference) -> None:
    """An update that leaves a reference as it was does not show it, but the parent may mind the update."""
    column, own_key = quoted(reference.column), quoted(shape.keys[reference.child])
    db.execute(
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT ?, child.{column}, ''
          FROM temp.touched
          JOIN {quoted(reference.child)} AS child ON child.{own_key} = touched.id
         WHERE touched.subject = ?
           AND touched.change = 'UPDATE'
           AND child.{column} IS NOT NULL
        """,  # noqa: S608  the names are the schema's
        (reference.parent, reference.child),
    )


def _add_children_of_deleted(db: Database, shape: Shape, reference: Reference, deleted: Collection[Key]) -> None:
    _for_each(
        db,
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT ?2, child.{quoted(shape.keys[reference.child])}, ''
          FROM {{keys}} AS deleted
          JOIN {quoted(reference.child)} AS child ON child.{quoted(reference.column)} = deleted.value
        """,  # noqa: S608  the names are the schema's
        deleted,
        reference.child,
    )


def _add_broken_children(db: Database, shape: Shape, reference: Reference) -> None:
    """Whose parents went or changed that are not referred to by their keys: the children are searched."""
    child = quoted(reference.child)
    db.execute(
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT ?, child.{quoted(shape.keys[reference.child])}, ''
          FROM {child} AS child
         WHERE {reference.is_broken}
        """,  # noqa: S608  the names are the schema's
        (reference.child,),
    )
