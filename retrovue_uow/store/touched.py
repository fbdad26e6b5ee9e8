"""Which rows the rules must look at again: those that changed, those they hang on, and those that hung on what is gone."""

from __future__ import annotations

import json
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import attrs

from retrovue_uow.store.changes import Changeset, Key
from retrovue_uow.store.database import Database
from retrovue_uow.store.shape import Reference, Shape

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
    deleted = {table: json.dumps(keys) for table in shape.keys if (keys := glance.changed[table]["DELETE"])}
    for reference in shape.references:
        if glance.changed[reference.child]["UPDATE"]:
            _add_parents_of_updated(db, shape, reference)
        if reference.parent in deleted:
            _add_children_of_deleted(db, shape, reference, deleted[reference.parent])
    for table in _COMPARED:
        if glance.changed[table]["UPDATE"] or glance.changed[table]["DELETE"]:
            db.execute(f"INSERT OR IGNORE INTO temp.touched (subject, id, change) SELECT '{table}', id, '' FROM {table}")  # noqa: S608  ours
    return [table for (table,) in db.execute("SELECT DISTINCT subject FROM temp.touched")]


def _add(db: Database, table: str, change: str, keys: Collection[Key]) -> None:
    if keys:
        db.execute(
            "INSERT INTO temp.touched (subject, id, change) SELECT ?, value, ? FROM json_each(?)",
            (table, change, json.dumps(list(keys))),
        )


def above(db: Database, changeset: Changeset, table: str) -> set[Key]:
    """The keys of the rows of `table` that changed, or that a changed row is below, through however many references."""
    shape = changeset.shape
    glance = changeset.glance
    keys = {subject: glance.parents[subject].union(*glance.changed[subject].values()) for subject in shape.keys}
    for child in shape.keys:  # children come before their parents
        told = glance.changed[child]["INSERT"], glance.changed[child]["DELETE"]  # with all that they refer to
        asked = keys[child].difference(*told)
        for reference in shape.of_child(child):
            if asked and table in shape.ancestors(reference.parent):
                keys[reference.parent] |= _parents(db, shape, reference, asked)
    return keys[table]


def _parents(db: Database, shape: Shape, reference: Reference, keys: set[Key]) -> set[Key]:
    rows = db.execute(
        f"""
        SELECT DISTINCT {reference.column}
          FROM {reference.child}
         WHERE {shape.keys[reference.child]} IN (SELECT value FROM json_each(?))
           AND {reference.column} IS NOT NULL
        """,  # noqa: S608  the names are the schema's
        (json.dumps(list(keys)),),
    )
    return {row[0] for row in rows}


def _add_parents_of_updated(db: Database, shape: Shape, reference: Reference) -> None:
    """An update that leaves a reference as it was does not show it, but the parent may mind the update."""
    db.execute(
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT '{reference.parent}', child.{reference.column}, ''
          FROM temp.touched
          JOIN {reference.child} AS child ON child.{shape.keys[reference.child]} = touched.id
         WHERE touched.subject = '{reference.child}'
           AND touched.change = 'UPDATE'
           AND child.{reference.column} IS NOT NULL
        """  # noqa: S608  the names are the schema's
    )


def _add_children_of_deleted(db: Database, shape: Shape, reference: Reference, deleted: str) -> None:
    """The children of rows that are gone, whose keys are given as JSON."""
    db.execute(
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT '{reference.child}', child.{shape.keys[reference.child]}, ''
          FROM json_each(?) AS deleted
          JOIN {reference.child} AS child ON child.{reference.column} = deleted.value
        """,  # noqa: S608  the names are the schema's
        (deleted,),
    )
