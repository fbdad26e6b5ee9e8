"""Enrichers: what finds out more about the files of a collection."""

from __future__ import annotations

from retrovue_uow.catalog import Catalog
from retrovue_uow.cli.app import Group
from retrovue_uow.cli.collections import collection_facts
from retrovue_uow.cli.command import argument, calls, command, option
from retrovue_uow.cli.options import COLLECTION, CONFIG, OF_COLLECTION, enricher_types, json_object
from retrovue_uow.cli.output import Listing, Long, compact
from retrovue_uow.model import Collection
from retrovue_uow.secrets import redacted

enricher = Group("enricher", help="What finds out more about the files of a collection.")
_ATTACHED = Listing(
    names=("collection", "type", "priority", "config"),
    headers=("collection", "enricher", "priority", "configuration"),
    row=lambda each: (
        Long(each["collection"]),
        each["type"],
        each["priority"],
        Long(compact(each["config"])),
    ),
    empty="no enrichers are attached",
    footer=lambda catalog: f"types that can be attached: {', '.join(sorted(catalog.enrichers))}",
)
_TYPE = argument("type_", "The enricher type.", metavar="TYPE", shell_complete=enricher_types)


@command(enricher, "list", OF_COLLECTION, lists=_ATTACHED)
def list_(catalog: Catalog, collection: str | None) -> list[dict[str, object]]:
    """List attached enrichers, and the types that there are. They run in the order shown."""
    return [
        {"collection": each.name, "type": attached.type, "priority": attached.priority, "config": redacted(attached.config)}
        for each in (catalog.collections() if collection is None else [catalog.collection(collection)])
        for attached in sorted(each.enrichers, key=lambda found: (found.priority, found.type))
    ]


@command(
    enricher,
    "attach",
    COLLECTION,
    _TYPE,
    CONFIG,
    option("--priority", "Lower ones run first.", type=int, default=100),
    opens="changing",
    shows=collection_facts,
)
def attach(catalog: Catalog, collection: str, type_: str, config: str, priority: int) -> Collection:
    """Let an enricher see every file of a collection from now on. Known files wait for an ingest with --refresh changed."""
    return catalog.attach_enricher(collection, type_, config=json_object(config), priority=priority)


calls(
    enricher,
    "detach",
    "detach_enricher",
    "Take an enricher from a collection. What it found out stays until a refresh.",
    COLLECTION,
    _TYPE,
    opens="changing",
    shows=collection_facts,
)
