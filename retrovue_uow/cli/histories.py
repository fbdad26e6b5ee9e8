"""The journal: what was done when, what can be undone, and undoing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import COMMANDS, Group
from retrovue_uow.cli.command import Page, argument, command, option
from retrovue_uow.cli.output import SIGNS, Id, Listing, counted, facts, moment, row_lines, withdrawn
from retrovue_uow.cli.text import plain
from retrovue_uow.errors import ValidationError, amount
from retrovue_uow.model import Changes, JournalOperation, JournalUnit, as_json
from retrovue_uow.results import UndoResult

_LOOKED_BACK = 1000
_ARGUMENTS_THAT_NAME = ("title", "merged", "name", "collection", "source", "unit_id")
_ARGUMENTS_THAT_SAY_MORE = {
    **dict.fromkeys(("type", "source_path", "pattern", "upgrades"), ""),
    "into": "into ",
    "new_root": "to ",
    "name": "to ",
    "year": "of ",
    "said": "as ",
}
"""With the word in front of each."""


def _named(unit: JournalUnit) -> str:
    """The operations of a unit, each with what it was about: `collection add Shows; enricher attach Shows filename, nfo`."""
    alike = groupby(map(_words, unit.operations), itemgetter(0))
    return "; ".join(" ".join(filter(None, (words, ", ".join(more for _, more in each)))) for words, each in alike)


def _words(operation: JournalOperation) -> tuple[str, str]:
    """What was done, with what it was about; and what else was said."""
    asked, result = operation.arguments, operation.result if isinstance(operation.result, Mapping) else {}
    collection = result.get("collection")
    names = [collection.get("name") if isinstance(collection, Mapping) else None, result.get("name")]
    names += map(asked.get, _ARGUMENTS_THAT_NAME)
    subject = next((name for name in names if isinstance(name, str)), None) or _described(asked.get("assets"))
    said = {name: each for name, each in asked.items() if each not in (None, subject)}
    more = [word + _described(said[name]) for name, word in _ARGUMENTS_THAT_SAY_MORE.items() if name in said]
    return f"{operation.name.replace('_', ' ')} {subject}".rstrip(), " ".join(more)


def _described(value: object) -> str:
    """What was said, or which assets were meant: by what described them, or how many were named."""
    if isinstance(value, Mapping):
        said = ((name.replace("_", " "), each) for name, each in value.items() if each is not None)
        return ", ".join(f"{'not ' * (not each)}{name}" if isinstance(each, bool) else f"{name} {each}" for name, each in said)
    return amount(len(value), "asset") if isinstance(value, list) else str(value or "")


def _rows(unit: JournalUnit) -> str:
    """Rows added, changed and deleted: `+12 ~3 -1`."""
    if unit.counts is None:
        return "?"
    totals = {kind: sum(kinds.get(kind, 0) for kinds in unit.counts.values()) for kind in SIGNS}
    return " ".join(f"{SIGNS[kind]}{count}" for kind, count in totals.items() if count)


def _state(unit: JournalUnit) -> str:
    if unit.undone_by is not None:
        return "undone"
    if not unit.counts:
        return ""
    return "possible" if unit.is_recorded else "expired"


HISTORY = Listing(
    names=tuple(attrs.fields_dict(JournalUnit)),
    headers=("when", "unit", "undo", "rows", "what"),
    row=lambda each: (moment(each.committed_at), Id(each.id), _state(each), _rows(each), _named(each)),
    empty=lambda given: f"nothing was done {'since' if given['since'] else 'yet'}",
)


def _unit(unit: JournalUnit, changes: Changes | None, verbose: bool) -> Iterator[str]:
    """One unit, with what it changed; None where that is no longer recorded."""
    yield from facts(
        {
            "unit": unit.id,
            "started": unit.started_at,
            "committed": unit.committed_at,
            "by": f"process {unit.pid}, retrovue_uow {unit.library_version}, schema {unit.schema_version}",
            "undo": _state(unit),
            "undone by": unit.undone_by,
            "undoes": "\n".join(unit.undoes),
        }
    )
    for operation in unit.operations:
        yield ""
        yield from facts(
            {
                "operation": operation.name,
                "took": f"{operation.duration_ms / 1000:.1f} s",
                "arguments": _brief_json(operation.arguments),
                "result": _brief_json(operation.result),
            }
        )
    if changes is not None:
        yield ""
        yield from counted(changes)
        yield from row_lines(changes) if verbose else ()


def _brief_json(value: object) -> str:
    """`value` without what is empty, zero or false in it, and without the collection's own configuration."""
    if isinstance(value, Mapping):
        told = {name: each for name, each in value.items() if each not in (None, 0, False, {}, [], "")}
        if isinstance(told.get("collection"), Mapping):
            told["collection"] = told["collection"].get("name")
        return ", ".join(f"{name}={json.dumps(as_json(each), ensure_ascii=False)}" for name, each in told.items())
    return "" if value is None else json.dumps(value, ensure_ascii=False)


@command(
    None,
    "history",
    option("--since", "Only what was done after this unit, the oldest first.", metavar="ID"),
    option("--limit -n", "How many units of work to list; 20, or all with --since.", type=click.IntRange(min=0), metavar="N"),
    lists=HISTORY,
)
def _list(catalog: Catalog, since: str | None, limit: int | None) -> list[JournalUnit]:
    """List what was done to the catalogue, the newest first; or since a unit of work, the oldest first."""
    return catalog.history(20 if limit is None and since is None else limit, since=since)


def _listed(**given: Any) -> Any:
    """`history` without one of its commands."""
    return None if click.get_current_context().invoked_subcommand or _list.callback is None else _list.callback(**given)


history = Group("history", params=_list.params, callback=_listed, help=COMMANDS["history"][1], invoke_without_command=True)


@command(history, "show", argument("unit", "The unit, as `history` lists it.", metavar="ID"), verbose=True)
def show(catalog: Catalog, unit: str) -> Page:
    """Show all about one unit of work: its operations, and what they changed."""
    found = catalog.unit(unit)
    changes = catalog.changes(found.id) if found.is_recorded else None
    return Page({**attrs.asdict(found), "changes": changes}, partial(_unit, found, changes))


def _undone(result: UndoResult) -> Iterable[str]:
    """What was undone, or would be."""
    verb = "would be undone" if result.dry_run else "undone"
    by = "" if result.unit_id is None else f" by unit {result.unit_id}"
    lines = [f"unit {result.undone_unit_id} ({_operations(result)}) {verb}{by}", *result.settled]
    return [*map(plain, lines), *withdrawn(result)]


def _operations(result: UndoResult) -> str:
    return ", ".join(name.replace("_", " ") for name in dict.fromkeys(result.operations))


@command(
    None,
    "undo",
    argument("unit", "The unit, as `history` lists it; by default the last one not undone.", metavar="[ID]", required=False),
    opens="changing",
    agrees=True,
    shows=_undone,
)
def undo(catalog: Catalog, unit: str | None, agreed: Any) -> UndoResult | None:
    """Take back what a unit of work changed. Shows it first, asks for a typed yes, and can itself be undone."""
    unit_id = _last_undoable(catalog) if unit is None else unit
    done: UndoResult | None = agreed(
        lambda _, *, dry_run: catalog.undo(unit_id, dry_run=dry_run),
        lambda seen: f"undoing unit {unit_id} ({_operations(seen)}) takes back what it changed",
    )
    return done


def _last_undoable(catalog: Catalog) -> str:
    """The newest unit that can be undone, and is no undo itself: so that undoing again and again goes back step by step."""
    for unit in catalog.history(_LOOKED_BACK):
        if unit.can_be_undone and not unit.undoes:
            return unit.id
    raise ValidationError("nothing can be undone: `history` shows what was done, and what has expired")
