"""Single rows of any table: in words that people know them by, and as they are shown, without their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast, overload

from retrovue_uow.model import Changes, RowChange
from retrovue_uow.secrets import redacted, redacted_row
from retrovue_uow.store.extensions import own_names
from retrovue_uow.uow.changes import ChangedRow, Changeset, Key
from retrovue_uow.uow.database import Database, Row
from retrovue_uow.uow.tables import quoted

_NAMING = ("canonical_key", "name", "source_path", "number", "type", "domain", "kind")
"""Columns that people know a row by, the best first."""


class RowName(NamedTuple):
    """A row: its table, its primary key, and what people call it. Its `str` is how messages name it."""

    table: str
    key: Key
    word: str | int | None = None

    def __str__(self) -> str:
        return f"{self.table} {self.key!r}" if self.word is None else f"{self.table} {self.word!r} ({self.key!s})"


def name_of(db: Database, change: ChangedRow) -> RowName:
    """The name of a row that was changed: what the change itself says, or what the row says now."""
    values = {**_row(db, change.table, change.key), **(change.new or {}), **(change.old or {})}
    return RowName(change.table, change.key, label(values))


def named(db: Database, table: str, key: Key) -> RowName:
    """The name of a row, whose key may be given as text."""
    row = _row(db, table, key)
    own_key = row.get(db.shape.keys[table])
    return RowName(table, own_key if isinstance(own_key, str | int | float | bytes) else key, label(row))


def row_with_same_unique_key(db: Database, change: ChangedRow) -> RowName | None:
    """The row that `change` would be equal to in columns that are unique; None if no such row is found."""
    wanted = {**_row(db, change.table, change.key), **(change.new or {})}
    key = quoted(db.shape.keys[change.table])
    for columns in _unique_columns(db, change.table):
        condition = " AND ".join(f"{quoted(column)} = ?" for column in columns)
        values = [value if isinstance(value := wanted.get(column), int | float | str | bytes) else None for column in columns]
        rows = db.execute(f"SELECT {key} FROM {quoted(change.table)} WHERE {condition}", values)  # noqa: S608  the schema's names
        if rows and rows[0][0] != change.key:
            return named(db, change.table, rows[0][0])
    return None


def _unique_columns(db: Database, table: str) -> list[list[str]]:
    """The columns of each unique index, but for those that are over expressions."""
    rows: list[Row] = db.execute(
        """
        SELECT indexes.name, columns.name
          FROM pragma_index_list(?) AS indexes
          JOIN pragma_index_info(indexes.name) AS columns
         WHERE indexes."unique" = 1
         ORDER BY indexes.seq, columns.seqno
        """,
        (table,),
    )
    found: dict[str, list[str | None]] = {}
    for index, column in rows:
        found.setdefault(index, []).append(column)
    return [[column for column in columns if column is not None] for columns in found.values() if None not in columns]


def _row(db: Database, table: str, key: Key) -> dict[str, object]:
    """The values of a row by column; empty where it is not there."""
    columns = db.shape.columns[table]
    listed, own_key = ", ".join(map(quoted, columns)), quoted(db.shape.keys[table])
    rows = db.execute(f"SELECT {listed} FROM {quoted(table)} WHERE {own_key} = ?", (key,))  # noqa: S608  the schema's names
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def label(values: Mapping[str, object]) -> str | int | None:
    """The name by which people know a row with these values by column; None where nothing in it is a name."""
    words = (values.get(column) for column in _NAMING)
    return next((word for word in words if isinstance(word, str | int)), None)


def changes_in(changeset: Changeset) -> Changes:
    """A changeset, as users see it: counts, and the rows as they are asked for."""
    counts = changeset.counts
    return Changes(counts=counts, rows=ChangedRows(changeset, sum(sum(kinds.values()) for kinds in counts.values())))


def shown(change: ChangedRow) -> RowChange:
    """A changed row as users see it: without the secrets in it."""
    # Of a table that is not the library's, who knows what it holds; of a mapping, what is redacted is one.
    hide = partial(redacted_row, change.table) if change.table in own_names() else redacted
    old, new = (None if values is None else cast("Mapping[str, object]", hide(values)) for values in (change.old, change.new))
    return RowChange(table=change.table, kind=change.kind, key=change.key, old=old, new=new)


class ChangedRows(Sequence[RowChange]):
    """The rows of a changeset, decoded as they are asked for."""

    def __init__(self, changeset: Changeset, count: int) -> None:
        self._changeset = changeset
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[RowChange]:
        return map(shown, self._changeset.rows())

    @overload
    def __getitem__(self, index: int) -> RowChange: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RowChange]: ...
    def __getitem__(self, index: int | slice) -> RowChange | Sequence[RowChange]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChangedRows) and self._changeset == other._changeset

    def __hash__(self) -> int:
        return hash(self._changeset.content)
