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
    """Every ordinary table but the journal's.

    Attributes:
        columns: Names by table, in the order in which a changeset has the values.
        keys: Name of the primary key's one column, by table.
        references: Every foreign key.
    """

    columns: Mapping[str, Sequence[str]]
    keys: Mapping[str, str]
    references: Sequence[Reference]

    def of_child(self, table: str) -> list[Reference]:
        """The references that rows of `table` hold."""
        return [reference for reference in self.references if reference.child == table]

    def of_parent(self, table: str) -> list[Reference]:
        """The references that point at rows of `table`."""
        return [reference for reference in self.references if reference.parent == table]


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
    keys = {table: column for table, column, pk in wanted if pk}
    return Shape(columns, keys, _references(db, columns))


def _references(db: Database, tables: Mapping[str, object]) -> list[Reference]:
    found: list[Reference] = []
    for table in tables:
        rows = db.execute('SELECT "from", "table" FROM pragma_foreign_key_list(?)', (table,))
        found.extend(Reference(table, column, parent) for column, parent in rows)
    return found
