"""Sources: where collections come from."""

from __future__ import annotations

from typing import Any

import attrs
import click

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.collections import COLLECTIONS
from retrovue_uow.cli.command import command
from retrovue_uow.cli.ingesting import ingest_source
from retrovue_uow.cli.options import CONFIG, INGESTING, SOURCE, json_object, request
from retrovue_uow.cli.output import Id, Listing, Long, compact, facts, plain
from retrovue_uow.cli.reports import SourceIngested
from retrovue_uow.model import Collection, Source

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
    click.Argument(["name"], metavar="NAME", help="What to call the source."),
    click.Option(["--type", "type_"], metavar="TYPE", default="filesystem", help="The importer type that reads it."),
    CONFIG,
    opens="making",
    shows=lambda it: facts({"source": it.name, "id": it.id, "type": it.type, "configuration": compact(it.config)}),
)
def add(catalog: Catalog, name: str, type_: str, config: str) -> Source:
    """Add a source, to a new catalogue if there is none."""
    return catalog.add_source(name, type_, json_object(config))


@command(source, "list", lists=SOURCES)
def list_(catalog: Catalog) -> list[Source]:
    """List every source."""
    return catalog.sources()


@command(source, "discover", SOURCE, opens="changing", lists=COLLECTIONS)
def discover(catalog: Catalog, source: str) -> list[Collection]:
    """Ask a source for its collections and add the new ones. They are disabled until you enable them."""
    return catalog.discover_collections(source)


@command(source, "ingest", SOURCE, *INGESTING, opens="changing", tries=True)
def ingest(catalog: Catalog, source: str, dry_run: bool, **asked: Any) -> SourceIngested:
    """Ingest every enabled collection of a source. Exits with 2 if some of them failed."""
    return ingest_source(catalog, source, request(**asked), dry_run=dry_run)


@command(source, "remove", SOURCE, opens="changing", shows=lambda gone: [plain(f"removed source {gone.name}")])
def remove(catalog: Catalog, source: str) -> Source:
    """Remove a source that has no collections."""
    return catalog.remove_source(source)
