"""The shape of a file's tables, found from the schema itself: keys, columns and which table refers to which."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

Execute = Callable[..., list[tuple[Any, ...]]]
"""All rows of a statement with these values: `Database.execute`."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Reference(NamedTuple):
    """A foreign key: `columns` of a row of `child` are equal to `to` of a row of `parent`, which may be a kept table.

    Attributes:
        is_to_key: Whether its one column holds the parent's primary key; else it is composite, or to columns that are unique.
        on_delete: What becomes of the child when the parent goes: `CASCADE`, `SET NULL`, … Without one, the parent cannot go.
    """

    child: str
    columns: tuple[str, ...]
    parent: str
    to: tuple[str, ...]
    is_to_key: bool
    on_delete: str = "NO ACTION"

    @property
    def keeps_parent(self) -> bool:
        return self.on_delete in ("NO ACTION", "RESTRICT")

    @property
    def column(self) -> str:
        return self.columns[0]

    @property
    def is_broken(self) -> str:
        """Whether the reference of the row `child` points at nothing, in SQL. A NULL refers to nothing, and may."""
        is_set = " AND ".join(f"child.{quoted(column)} IS NOT NULL" for column in self.columns)
        there = f"SELECT 1 FROM main.{quoted(self.parent)} AS parent WHERE {self.is_parent}"  # noqa: S608  the names are the schema's
        return f"({is_set} AND NOT EXISTS ({there}))"

    @property
    def is_parent(self) -> str:
        """Whether the row `child` refers to the row `parent`, in SQL."""
        pairs = zip(self.to, self.columns, strict=True)
        return " AND ".join(f"parent.{quoted(to)} = child.{quoted(column)}" for to, column in pairs)


class Shape(NamedTuple):
    """Every ordinary table but those that are kept by the keeper of the file, children before their parents.

    In that order a recording names the tables, and a changeset deletes their rows.

    Attributes:
        columns: Names by table, in the order in which a changeset has the values.
        keys: Name of the primary key's one column, by table.
        references: Every foreign key of these tables.
        unrecorded: The foreign keys of tables that are unkeyed.
        unkeyed: Tables without a primary key of one column, or with a row whose key is NULL: SQLite would pass over what
            changes in them.
        nullable: The primary keys' one column, by table, where the schema lets it be NULL.
        nulls: Those of the nullable ones in which a row has such a key.
    """

    columns: Mapping[str, Sequence[str]]
    keys: Mapping[str, str]
    references: Sequence[Reference]
    unkeyed: Sequence[str] = ()
    unrecorded: Sequence[Reference] = ()
    nullable: Mapping[str, str] = {}
    nulls: Sequence[str] = ()

    def of_child(self, table: str) -> list[Reference]:
        return [reference for reference in self.references if reference.child == table]

    def ancestors(self, table: str) -> set[str]:
        """The table itself, and those that its rows refer to, directly or not."""
        found, left = {table}, [table]
        while left:
            parents = {reference.parent for reference in self.of_child(left.pop()) if reference.is_to_key} - found
            found |= parents
            left.extend(parents)
        return found


def read_shape(execute: Execute, kept: Set[str] = frozenset()) -> Shape:
    """The shape of the file that is open. `kept` are tables to pass over, in lower case."""
    rows = execute(
        """
        SELECT tables.name, columns.name, columns.pk,
               columns."notnull" = 0 AND EXISTS (SELECT 1 FROM pragma_index_list(tables.name) WHERE origin = 'pk')
          FROM pragma_table_list AS tables
          JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.schema = 'main'
           AND tables.type = 'table'
           AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY tables.name, columns.cid
        """
    )
    columns: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for table, column, pk, _ in rows:
        columns.setdefault(table, []).append(column)
        keys.setdefault(table, []).extend([column] if pk else [])
    wanted = [table for table in columns if table.lower() not in kept]
    # a primary key that is no row number has an index, and may be NULL unless the schema says otherwise
    nullable = {table: column for table, column, pk, may_be_null in rows if pk and may_be_null and len(keys[table]) == 1}
    nulls = null_keys(execute, nullable)
    keyed = [table for table in wanted if len(keys[table]) == 1 and table not in nulls]
    unkeyed = [table for table in wanted if table not in keyed]
    references = _references(execute, keyed, keys)
    ordered = _children_first(keyed, references)
    return Shape(
        {table: columns[table] for table in ordered},
        {table: keys[table][0] for table in ordered},
        references,
        unkeyed,
        _references(execute, unkeyed, keys),
        nullable,
        nulls,
    )


def null_keys(execute: Execute, nullable: Mapping[str, str]) -> list[str]:
    """Those of the tables that have a row whose key is NULL (https://www.sqlite.org/lang_createtable.html#primkeyconst)."""
    with_null = "SELECT 1 FROM main.{} WHERE {} IS NULL LIMIT 1"
    return [table for table, key in nullable.items() if execute(with_null.format(quoted(table), quoted(key)))]


def _references(execute: Execute, tables: Sequence[str], keys: Mapping[str, Sequence[str]]) -> list[Reference]:
    """Those of `tables` to tables that are there, whose names SQLite finds in any case."""
    named = {table.lower(): table for table in keys}
    found: list[Reference] = []
    for table in tables:
        rows = execute('SELECT id, "table", "from", "to", on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table,))
        for _, of_key in groupby(rows, key=itemgetter(0)):
            parts = list(of_key)
            parent = named.get(str(parts[0][1]).lower())
            if parent is None:
                continue  # SQLite itself refuses every row that refers to a table which is not there
            columns = tuple(str(part[2]) for part in parts)
            to = tuple(keys[parent]) if parts[0][3] is None else tuple(str(part[3]) for part in parts)
            is_to_key = [column.lower() for column in to] == [column.lower() for column in keys[parent]] and len(to) == 1
            found.append(Reference(table, columns, parent, to, is_to_key and parent in tables, str(parts[0][4])))
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


def holding(
    execute: Execute, shape: Shape, references: Sequence[Reference], going: Mapping[str, Iterable[Any]]
) -> dict[Reference, list[tuple[Any, Any]]]:
    """Rows that keep others from being deleted, by which of the `references`: their key, and that of the row that they keep.

    The key is None where the table is unkeyed.

    What goes along with a row (ON DELETE CASCADE) may be kept in its turn, and keeps nothing itself.

    Args:
        going: The keys of what is to be deleted, by table.
    """
    leading = set().union(*(shape.ancestors(each.parent) for each in references))
    gone = defaultdict(set, {table: set(keys) for table, keys in going.items()})
    found: dict[Reference, list[tuple[Any, Any]]] = {}
    left = list(gone)
    while left:
        parent = left.pop()
        for each in (*shape.references, *shape.unrecorded):
            if each.parent != parent or not gone[parent] or not (each in references or each.child in leading):
                continue
            if each.on_delete == "CASCADE" and each.child in shape.keys:
                along = {key for key, _ in _referring(execute, shape, each, gone[parent])} - gone[each.child]
                gone[each.child] |= along
                left += [each.child] if along else []
            elif each in references and each.keeps_parent:
                found[each] = _referring(execute, shape, each, gone[parent])
    kept = {each: [pair for pair in pairs if pair[0] not in gone[each.child]] for each, pairs in found.items()}
    return {each: pairs for each, pairs in kept.items() if pairs}


def _referring(execute: Execute, shape: Shape, reference: Reference, keys: Set[Any]) -> list[tuple[Any, Any]]:
    """The keys of the rows that refer to rows with these keys, each with the one that it refers to."""
    child, parent = quoted(reference.child), quoted(reference.parent)
    parent_key = quoted(shape.keys[reference.parent])
    child_key = f"child.{quoted(shape.keys[reference.child])}" if reference.child in shape.keys else "NULL"
    is_plain = {*map(type, keys)} <= {str, int}  # JSON has no other keys
    find = f"""
        SELECT {child_key}, parent.{parent_key}
          FROM {"json_each(?)" if is_plain else "(SELECT ? AS value)"} AS keys
          JOIN main.{parent} AS parent ON parent.{parent_key} = keys.value
          JOIN main.{child} AS child ON {reference.is_parent}
         ORDER BY parent.{parent_key}
        """  # noqa: S608  the names are the schema's
    return [row for each in ([json.dumps(list(keys))] if is_plain else keys) for row in execute(find, (each,))]
