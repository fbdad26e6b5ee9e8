"""The shape of a catalogue's tables, found from the schema itself: keys, columns and who refers to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from retrovue_uow.store.database import Database

JOURNAL_TABLES = ("unit_of_work", "operation")


@attrs.frozen
class Reference:
    """A foreign key of one column: `child.column` holds the key of a row of `parent`."""

    child: str
    column: str
    parent: str


@attrs.frozen
class Shape:
    """Every ordinary table but the journal's, children before their parents.

    In that order a recording names the tables, and a changeset deletes their rows: so no trigger that guards a parent's row
    finds it in use by children that are about to go, too.

    Attributes:
        columns: Names by table, in the order in which a changeset has the values.
        keys: Name of the primary key's one column, by table.
        references: Every foreign key of these tables.
        unkeyed: Tables, not ours, without a primary key of one column: SQLite would pass over what changes in them.
    """

    columns: Mapping[str, Sequence[str]]
    keys: Mapping[str, str]
    references: Sequence[Reference]
    unkeyed: Sequence[str] = ()

    def of_child(self, table: str) -> list[Reference]:
        """The references that rows of `table` hold."""
        return [reference for reference in self.references if reference.child == table]

    def ancestors(self, table: str) -> set[str]:
        """The table itself, and those that its rows refer to, directly or not."""
        found, left = {table}, [table]
        while left:
            parents = {reference.parent for reference in self.of_child(left.pop())} - found
            found |= parents
            left.extend(parents)
        return found


def read_shape(db: Database) -> Shape:
    """The shape of the file that is open."""
    rows = db.execute(
        """
        SELECT tables.name, columns.name, columns.pk
          FROM pragma_table_list AS tables
          JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.schema = 'main'
           AND tables.type = 'table'
           AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY tables.name, columns.cid
        """
    )
    wanted = [row for row in rows if row[0] not in JOURNAL_TABLES]
    columns: dict[str, list[str]] = {}
    for table, column, _ in wanted:
        columns.setdefault(table, []).append(column)
    keys = {table: [column for name, column, pk in wanted if name == table and pk] for table in columns}
    keyed = [table for table in columns if len(keys[table]) == 1]
    references = _references(db, keyed)
    ordered = _children_first(keyed, references)
    return Shape(
        {table: columns[table] for table in ordered},
        {table: keys[table][0] for table in ordered},
        references,
        [table for table in columns if table not in keyed],
    )


def _references(db: Database, tables: Sequence[str]) -> list[Reference]:
    found: list[Reference] = []
    for table in tables:
        rows = db.execute('SELECT "from", "table" FROM pragma_foreign_key_list(?)', (table,))
        found.extend(Reference(table, column, parent) for column, parent in rows)
    return found


def _children_first(tables: Sequence[str], references: Sequence[Reference]) -> list[str]:
    """The tables, each before those that it refers to; where they refer in a circle, as they come."""
    left, ordered = list(tables), list[str]()
    while left:
        parents_of_left = {each.parent for each in references if each.child in left and each.child != each.parent}
        free = [table for table in left if table not in parents_of_left] or left[:1]
        ordered.extend(free)
        left = [table for table in left if table not in free]
    return ordered
