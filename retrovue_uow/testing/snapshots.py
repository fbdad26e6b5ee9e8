"""What a catalogue holds at one moment, to be compared with what it holds at another."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import apsw
import attrs

from retrovue_uow import Catalog, ContractError
from retrovue_uow.errors import some
from retrovue_uow.uow.tables import quoted

Row = tuple[Any, ...]
_JOURNAL = ("unit_of_work", "operation")
SHOWN = 20
"""How many differing rows a message shows."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_DURATION = re.compile(r'("duration_s": ?)[-+.e\d]+')
_OF_ONE_RUN = {("unit_of_work", "pid"), ("unit_of_work", "digest"), ("unit_of_work", "changeset"), ("operation", "duration_ms")}
"""Columns that no two runs of the same work share."""


@attrs.frozen
class Table:
    """The rows of one table, in the order of its key, and where in a row that is."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    key: int = 0


_NO_TABLE = Table()


@attrs.frozen(repr=False)
class Snapshot:
    """Every row of every table of a catalogue. Two of them are equal if every value is; pytest shows the rows that differ."""

    tables: Mapping[str, Table]

    def __getitem__(self, table: str) -> list[Row]:
        """The rows of one table, in the order of its key."""
        return list(self.tables[table].rows)

    def __repr__(self) -> str:
        return f"<Snapshot of {sum(len(table.rows) for table in self.tables.values())} rows>"

    def differences(self, later: Snapshot) -> list[str]:
        """What changed from here to `later`, one line for each row."""
        names = [*self.tables, *(name for name in later.tables if name not in self.tables)]
        return [
            line for name in names for line in _changes(name, *(each.tables.get(name, _NO_TABLE) for each in (self, later)))
        ]

    def identifiers(self) -> frozenset[str]:
        """Every UUID that stands in it."""
        texts = (value for table in self.tables.values() for row in table.rows for value in row if isinstance(value, str))
        return frozenset(found for text in texts for found in _UUID.findall(text))

    def unlikeness(self, other: Snapshot, *, known: frozenset[str]) -> str | None:
        """The first row that only one of them has, leaving aside what no two runs share; None: there is none.

        Left aside are times, durations, process identifiers, the journal's recordings (their counts of rows are compared),
        and UUIDs other than the `known` ones. In what order rows of one table stand does not matter.
        """
        for name in sorted({*self.tables, *other.tables}):
            ours, theirs = (_plain(name, each.tables.get(name, _NO_TABLE), known) for each in (self, other))
            for sign, rows in (("-", ours - theirs), ("+", theirs - ours)):
                for row in rows:
                    return f"{sign} {name} {row}"
        return None


def snapshot(catalog: Catalog | str | os.PathLike[str], *, journal: bool = True) -> Snapshot:
    """What the catalogue holds that others can see: read through a connection of its own.

    Args:
        catalog: An open catalogue, or the path of its file.
        journal: Whether to read the tables of the journal, too.

    Raises:
        ContractError: The catalogue is in memory, where no other connection sees it.
    """
    path = catalog.database.path if isinstance(catalog, Catalog) else os.fspath(catalog)
    if path == ":memory:":
        raise ContractError("a catalogue in memory cannot be seen from outside: give it a file")
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.execute("BEGIN").fetchall()
        tables = {}
        for (name,) in connection.execute(_TABLES).fetchall():
            if journal or name not in _JOURNAL:
                shape = connection.execute("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (name,)).fetchall()
                key = next((place for place, (_, pk) in enumerate(shape) if pk), 0)
                rows = connection.execute(f"SELECT * FROM {quoted(str(name))} ORDER BY {key + 1}").fetchall()  # noqa: S608  its own name
                tables[str(name)] = Table(tuple(str(column) for column, _ in shape), tuple(rows), key)
        return Snapshot(tables)


@contextmanager
def assert_unchanged(catalog: Catalog | str | os.PathLike[str]) -> Iterator[None]:
    """A block after which the catalogue holds what it held before, whether an error leaves the block or not.

    Raises:
        AssertionError: It does not; names the rows.
    """
    before = snapshot(catalog)
    try:
        yield
    finally:
        differences = before.differences(snapshot(catalog))
        if differences:
            raise AssertionError("\n".join(["the catalogue has changed:", *shortened(differences)]))


def shortened(lines: list[str], most: int = SHOWN) -> list[str]:
    """The first of `lines`, and how many more there are."""
    return some(lines, most, between="\n").split("\n")


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


def _changes(name: str, earlier: Table, later: Table) -> Iterator[str]:
    ours, theirs = ({row[table.key]: row for row in table.rows} for table in (earlier, later))
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        if key not in theirs:
            yield f"- {name} {_shown(ours[key])}"
        elif key not in ours:
            yield f"+ {name} {_shown(theirs[key])}"
        elif ours[key] != theirs[key]:
            cells = zip(later.columns, ours[key], theirs[key], strict=False)
            changed = ", ".join(f"{column} {_cell(old)} → {_cell(new)}" for column, old, new in cells if old != new)
            yield f"~ {name} {key!r}: {changed}"


def _shown(row: Row) -> str:
    return f"({', '.join(map(_cell, row))})"


def _cell(value: object) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else repr(value)


def _plain(name: str, table: Table, known: frozenset[str]) -> Counter[Row]:
    kept = [index for index, column in enumerate(table.columns) if (name, column) not in _OF_ONE_RUN]
    return Counter(tuple(_plain_value(row[index], known) for index in kept) for row in table.rows)


def _plain_value(value: object, known: frozenset[str]) -> object:
    if not isinstance(value, str):
        return value
    plain = _UUID.sub(lambda found: found[0] if found[0] in known else "<id>", value)
    if plain.startswith("{"):
        with suppress(ValueError):  # that is no JSON
            plain = _DURATION.sub(r"\1<s>", json.dumps(json.loads(plain), sort_keys=True, ensure_ascii=False))
    return _TIME.sub("<time>", plain)
