"""What changed, or would: counted per table, and row by row."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

from rich.console import RenderableType
from rich.text import Text

from retrovue_uow.cli_output import grid, plain, show, stdout
from retrovue_uow.model import Changes, Result, RowChange
from retrovue_uow.store.rows import label

_SIGNS = {"insert": "+", "update": "~", "delete": "-"}
R = TypeVar("R", bound=Result)


def changes_table(changes: Changes) -> RenderableType:
    """Changed rows per table and kind of change."""
    if not changes.counts:
        return Text("no row changes")
    rows = [
        (table.replace("_", " "), counts.get("insert"), counts.get("update"), counts.get("delete"))
        for table, counts in sorted(changes.counts.items())
    ]
    return grid(("rows", "added", "changed", "deleted"), rows)


def row_lines(changes: Changes) -> Iterator[str]:
    """A line per changed row: a sign, its table and key, and what it is called or what changed in it."""
    for row in changes.rows:
        yield plain(f"{_SIGNS[row.kind]} {row.table} {row.key!s}  {_told(row)}".rstrip())


def _told(row: RowChange) -> str:
    if row.old is not None and row.new is not None:
        old = row.old
        return ", ".join(f"{name}: {_value(old.get(name))} -> {_value(value)}" for name, value in row.new.items())
    word = label(row.new or row.old or {})
    return "" if word is None else str(word)


def _value(value: object) -> str:
    return json_format.dumps(value, ensure_ascii=False)


def show_changes(result: Result, *, verbose: bool, title: str = "changes") -> None:
    """Print what a dry run would change, and what any run changed where the user wants to know it row by row."""
    if result.changes is None or not (result.dry_run or verbose):
        return
    out = stdout()
    out.print(Text(plain(f"\n{title}, had it been kept:" if result.dry_run else f"\n{title}:", keep="\n")))
    out.print(changes_table(result.changes))
    if verbose:
        for line in row_lines(result.changes):
            sys.stdout.write(f"{line}\n")


def show_result(result: R, report: Callable[[R], object], *, json: bool, verbose: bool) -> None:
    """Print a result, and what it changed or would."""
    show(result, report, json=json, verbose=verbose)
    if not json:
        show_changes(result, verbose=verbose)


def show_decided(result: R | None, report: Callable[[R], object], *, json: bool, verbose: bool) -> None:
    """Print the result of what the user was asked about; None: the answer was no."""
    if result is None:
        cancelled(json=json)
    else:
        show_result(result, report, json=json, verbose=verbose)


def cancelled(*, json: bool) -> None:
    """Say that nothing was done."""
    show({"cancelled": True}, lambda _: "cancelled", json=json)
