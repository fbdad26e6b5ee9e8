"""The journal as the command line has it: what was done when, what can be undone, and undoing it."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping, Sequence

import attrs
from rich.console import Group, RenderableType
from rich.text import Text

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli_changes import changes_table, row_lines
from retrovue_uow.cli_consent import with_consent
from retrovue_uow.cli_output import facts, grid, long, moment, plain, print_json, say, stdout, withdrawn
from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Changes, JournalOperation, JournalUnit, UndoResult, as_json

_LOOKED_BACK = 1000
_ARGUMENTS_THAT_NAME = ("title", "merged", "name", "collection", "source", "source_path", "unit_id")


def history_table(units: Sequence[JournalUnit], *, when: str = "yet") -> object:
    """Units of work; `when` there might have been some, if there are none."""
    if not units:
        return f"nothing was done {when}"
    rows = [
        (moment(each.committed_at), long("; ".join(map(_named, each.operations))), _counted(each), _state(each), each.id)
        for each in units
    ]
    return grid(("when", "what", "rows", "undo", "unit"), rows)


def _named(operation: JournalOperation) -> str:
    """An operation with what it was about: `collection ingest Shows`."""
    words = operation.name.replace("_", " ")
    subject = _subject(operation)
    return words if subject is None else f"{words} {subject}"


def _subject(operation: JournalOperation) -> str | None:
    result = operation.result if isinstance(operation.result, Mapping) else {}
    collection = result.get("collection")
    names = [collection.get("name") if isinstance(collection, Mapping) else None, result.get("name")]
    names += [operation.arguments.get(argument) for argument in _ARGUMENTS_THAT_NAME]
    return next((name for name in names if isinstance(name, str)), None) or _selection(operation.arguments.get("assets"))


def _selection(assets: object) -> str | None:
    """Which assets an operation was about: the options that described them, or how many were named."""
    if isinstance(assets, Mapping):
        return ", ".join(f"{name} {value}" for name, value in assets.items())
    return f"{len(assets)} named" if isinstance(assets, list) else None


def _counted(unit: JournalUnit) -> str:
    """Rows added, changed and deleted: `+12 ~3 -1`."""
    if unit.counts is None:
        return "?"
    totals = {kind: sum(kinds.get(kind, 0) for kinds in unit.counts.values()) for kind in ("insert", "update", "delete")}
    signs = {"insert": "+", "update": "~", "delete": "-"}
    return " ".join(f"{signs[kind]}{count}" for kind, count in totals.items() if count)


def _state(unit: JournalUnit) -> str:
    if unit.undone_by is not None:
        return "undone"
    if not unit.counts:
        return ""
    return "possible" if unit.is_recorded else "expired"


@attrs.frozen
class UnitPage:
    """One unit, with what it changed; None where that is no longer recorded."""

    unit: JournalUnit
    changes: Changes | None


def unit_page(catalog: Catalog, unit_id: str) -> UnitPage:
    """The unit with this identifier."""
    unit = catalog.unit(unit_id)
    return UnitPage(unit, catalog.changes(unit_id) if unit.is_recorded else None)


def show_unit(page: UnitPage, *, json: bool, verbose: bool) -> None:
    """Print all about one unit."""
    if json:
        document = {**attrs.asdict(page.unit), "changes": page.changes}
        print_json(document, verbose=verbose)
        return
    stdout().print(_unit_report(page))
    if verbose and page.changes is not None:
        for line in row_lines(page.changes):
            say(line)


def _unit_report(page: UnitPage) -> Group:
    unit = page.unit
    parts: list[RenderableType] = [
        facts(
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
    ]
    for operation in unit.operations:
        parts += [Text(""), _operation_facts(operation)]
    if page.changes is not None:
        parts += [Text(""), changes_table(page.changes)]
    return Group(*parts)


def _operation_facts(operation: JournalOperation) -> RenderableType:
    return facts(
        {
            "operation": operation.name,
            "took": f"{operation.duration_ms / 1000:.1f} s",
            "arguments": _brief_json(operation.arguments),
            "result": _brief_json(operation.result),
        }
    )


def _brief_json(value: object) -> str:
    """`value` without what is empty, zero or false in it, and without the collection's own configuration."""
    if isinstance(value, Mapping):
        told = {name: each for name, each in value.items() if each not in (None, 0, False, {}, [], "")}
        if isinstance(told.get("collection"), Mapping):
            told["collection"] = told["collection"].get("name")
        return ", ".join(f"{name}={json_format.dumps(as_json(each), ensure_ascii=False)}" for name, each in told.items())
    return "" if value is None else json_format.dumps(value, ensure_ascii=False)


def last_undoable(catalog: Catalog) -> str:
    """The newest unit that can be undone, and is no undo itself: so that undoing again and again goes back step by step."""
    for unit in catalog.history(_LOOKED_BACK):
        if unit.can_be_undone and not unit.undoes:
            return unit.id
    raise ValidationError("nothing can be undone: `history` shows what was done, and what has expired")


def undo(catalog: Catalog, unit_id: str, *, force: bool) -> UndoResult | None:
    """Undo a unit once the user has typed `yes`; None if anything else was typed."""
    return with_consent(
        preview=None if force else lambda: catalog.undo(unit_id, dry_run=True),
        question=lambda preview: f"undoing unit {unit_id} ({_operations(preview)}) takes back what it changed",
        act=lambda _: catalog.undo(unit_id),
    )


def undo_report(result: UndoResult) -> Group:
    """What was undone, or would be."""
    verb = "would be undone" if result.dry_run else "undone"
    by = "" if result.unit_id is None else f" by unit {result.unit_id}"
    lines = [f"unit {result.undone_unit_id} ({_operations(result)}) {verb}{by}", *result.settled]
    return Group(Text("\n".join(map(plain, lines))), *withdrawn(result))


def _operations(result: UndoResult) -> str:
    return ", ".join(name.replace("_", " ") for name in result.operations)
