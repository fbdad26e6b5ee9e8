"""Extensions: the station's own tables, rules and views in the catalogue."""

from __future__ import annotations

from typing import Any

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.command import argument, calls, command
from retrovue_uow.cli.options import naming
from retrovue_uow.cli.output import Listing, Long, facts
from retrovue_uow.cli.text import plain
from retrovue_uow.model import Result
from retrovue_uow.results import InstalledExtension

extension = Group("extension", help="The station's own tables, rules and views in the catalogue.")
_EXTENSIONS = Listing(
    names=tuple(attrs.fields_dict(InstalledExtension)),
    headers=("extension", "version", "known here", "tables", "rules"),
    row=lambda each: (
        each.name,
        each.version,
        "its code is not" if each.known_version is None else each.known_version,
        Long(", ".join(each.tables)),
        Long(", ".join(each.rules)),
    ),
    empty="there are no extensions",
)
_THERE = naming(lambda catalog: (each.name for each in catalog.extensions()))


calls(
    extension,
    "add",
    "add_extension",
    "Add an extension, or bring it up to date. The catalogue is copied beside itself first.",
    argument("name", "The name by which an installed distribution offers it."),
    opens="changing",
    shows=lambda it: facts(
        {"extension": it.name, "version": it.version, "tables": ", ".join(it.tables), "rules": ", ".join(it.rules)}
    ),
)
calls(
    extension,
    "list",
    "extensions",
    "List the extensions that the catalogue has. The version counts the migrations that it has had.",
    lists=_EXTENSIONS,
)


@command(
    extension,
    "remove",
    argument("name", "An extension of the catalogue.", shell_complete=_THERE),
    opens="changing",
    agrees=True,
    shows=lambda gone: [
        plain(f"would drop {', '.join(gone['tables']) or 'no tables'}")
        if gone["dry_run"]
        else plain(f"removed extension {gone['removed']}; all as it was is in {gone['copy']}")
    ],
)
def remove(catalog: Catalog, name: str, agreed: Any) -> Any:
    """Drop all that an extension has. Only the copy that is made first brings it back."""
    there = {each.name: each.tables for each in catalog.extensions()}
    tables = there.get(name, ())

    def act(_: object, *, dry_run: bool) -> dict[str, object]:
        copy = None if dry_run and name in there else catalog.remove_extension(name)
        return {"removed": name, "tables": tables, "copy": copy, "dry_run": dry_run}

    sentence = f"removing extension {name!r} drops {', '.join(tables)} with all their rows, and a copy alone brings them back"
    return agreed(act, lambda _: sentence, is_sure=not tables, preview=Result)
