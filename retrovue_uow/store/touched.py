"""Which rows the rules must look at again: those that changed, those they hang on, and those that hung on what is gone."""

from __future__ import annotations

import json
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from retrovue_uow.store.changes import Changeset
from retrovue_uow.store.database import Database
from retrovue_uow.store.shape import Reference, Shape

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS touched (
    subject TEXT NOT NULL,                                          -- table
    id      ANY NOT NULL,                                           -- primary key of the row
    change  TEXT NOT NULL,                                          -- INSERT, UPDATE, DELETE; '': it is near a changed one
    PRIMARY KEY (subject, id)
) STRICT, WITHOUT ROWID
"""
_narrowed: weakref.WeakSet[Database] = weakref.WeakSet()


def is_narrowed(db: Database) -> bool:
    """Whether the rules look at `temp.touched` only; otherwise at the whole catalogue."""
    return db in _narrowed


@contextmanager
def narrowed(db: Database, changeset: Changeset) -> Iterator[None]:
    """Within the block the rules look at the rows that `changeset` touches."""
    fill(db, changeset)
    _narrowed.add(db)
    try:
        yield
    finally:
        _narrowed.discard(db)


def fill(db: Database, changeset: Changeset) -> None:
    """Put the rows that `changeset` touches into `temp.touched`, in place of others."""
    db.execute(_TABLE)
    db.execute("DELETE FROM temp.touched")
    rows = near(changeset)
    db.executemany(
        "INSERT INTO temp.touched (subject, id, change) VALUES (?, ?, ?)",
        [(subject, key, change) for (subject, key), change in rows.items()],
    )
    changed = {(subject, change) for (subject, _), change in rows.items()}
    for reference in changeset.shape.references:
        if (reference.child, "UPDATE") in changed:
            _add_parents_of_updated(db, changeset.shape, reference)
        if (reference.parent, "DELETE") in changed:
            _add_children_of_deleted(db, changeset.shape, reference)


def subjects(db: Database) -> list[str]:
    """The tables that have touched rows."""
    return [subject for (subject,) in db.execute("SELECT DISTINCT subject FROM temp.touched")]


def above(db: Database, changeset: Changeset, table: str) -> set[str | int]:
    """The keys of the rows of `table` that changed, or that a changed row is below, through however many references."""
    shape = changeset.shape
    keys: dict[str, set[str | int]] = defaultdict(set)
    for subject, key in near(changeset):
        keys[subject].add(key)
    for child in shape.keys:  # children come before their parents
        for reference in shape.of_child(child):
            if keys[child] and table in shape.ancestors(reference.parent):
                keys[reference.parent] |= _parents(db, shape, reference, keys[child])
    return keys[table]


def _parents(db: Database, shape: Shape, reference: Reference, keys: set[str | int]) -> set[str | int]:
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


def near(changeset: Changeset) -> dict[tuple[str, str | int], str]:
    """Each changed row, and the parents that its old and new values name, with what happened to it."""
    shape = changeset.shape
    keys = {table: shape.columns[table].index(key) for table, key in shape.keys.items()}
    parents = {
        table: [(columns.index(reference.column), reference.parent) for reference in shape.of_child(table)]
        for table, columns in shape.columns.items()
    }
    found: dict[tuple[str, str | int], str] = {}
    for change in changeset.raw():
        table = change.name
        for values in (change.old, change.new):
            if values is None:
                continue
            key = values[keys[table]]
            if isinstance(key, str | int):
                found[table, key] = change.op
            for position, parent in parents[table]:
                parent_key = values[position]
                if isinstance(parent_key, str | int):
                    found.setdefault((parent, parent_key), "")
    return found


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


def _add_children_of_deleted(db: Database, shape: Shape, reference: Reference) -> None:
    db.execute(
        f"""
        INSERT OR IGNORE INTO temp.touched (subject, id, change)
        SELECT '{reference.child}', child.{shape.keys[reference.child]}, ''
          FROM temp.touched
          JOIN {reference.child} AS child ON child.{reference.column} = touched.id
         WHERE touched.subject = '{reference.parent}'
           AND touched.change = 'DELETE'
        """  # noqa: S608  the names are the schema's
    )
