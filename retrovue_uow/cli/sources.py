"""Sources: where collections come from."""

from __future__ import annotations

from typing import Any

import attrs

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.collections import COLLECTIONS
from retrovue_uow.cli.command import Page, argument, calls, command, option
from retrovue_uow.cli.ingesting import ingest_source
from retrovue_uow.cli.options import CONFIG, INGESTING, SOURCE, json_object, request
from retrovue_uow.cli.output import Id, Listing, Long, compact, facts
from retrovue_uow.cli.text import plain
from retrovue_uow.model import Source

source = Group("source", help="Where collections come from.")
SOURCES = Listing(
    names=tuple(attrs.fields_dict(Source)),
    headers=("source", "type", "id", "configuration"),
    row=lambda each: (Long(each.name), each.type, Id(each.id), Long(compact(each.config))),
    empty="there are no sources yet",
)


@command(
    source,
    "add",
    argument("name", "What to call the source."),
    option("--type type_", "The importer type that reads it.", metavar="TYPE", default="filesystem"),
    CONFIG,
    opens="making",
    shows=lambda it: facts({"source": it.name, "id": it.id, "type": it.type, "configuration": compact(it.config)}),
)
def add(catalog: Catalog, name: str, type_: str, config: str) -> Source:
    """Add a source, to a new catalogue if there is none."""
    return catalog.add_source(name, type_, json_object(config))


calls(source, "list", "sources", "List every source.", lists=SOURCES)
calls(
    source,
    "discover",
    "discover_collections",
    "Ask a source for its collections and add the new ones. They are disabled until you enable them.",
    SOURCE,
    opens="changing",
    lists=COLLECTIONS,
)
calls(
    source,
    "remove",
    "remove_source",
    "Remove a source that has no collections.",
    SOURCE,
    opens="changing",
    shows=lambda gone: [plain(f"removed source {gone.name}")],
)


@command(source, "ingest", SOURCE, *INGESTING, opens="changing", tries=True)
def ingest(catalog: Catalog, source: str, dry_run: bool, **asked: Any) -> Page:
    """Ingest every enabled collection of a source. Exits with 2 if some of them failed."""
    return ingest_source(catalog, source, request(**asked), dry_run=dry_run)
