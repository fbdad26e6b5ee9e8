"""Sources, collections and what belongs to them: kept as they were said, told in order, and readable in the file."""

from __future__ import annotations

from types import MappingProxyType

from retrovue_uow import AttachedEnricher, Catalog, Collection, Source
from retrovue_uow.testing import FakeEnricher, snapshot

CONFIG = {"root": "/srv/Größe", "nested": MappingProxyType({"deep": [1, None]})}
TOLD = {"root": "/srv/Größe", "nested": {"deep": [1, None]}}
WRITTEN = '{"root": "/srv/Größe", "nested": {"deep": [1, null]}}'


def test_a_source_is_kept_as_it_was_said(catalog: Catalog) -> None:
    added = catalog.add_source("station", "fake", CONFIG)
    catalog.add_source("archive", "fake")

    archive, station = catalog.sources()

    assert station == Source(added.id, "station", "fake", TOLD)
    assert (archive.name, archive.config) == ("archive", {})
    assert {row[1:4] for row in snapshot(catalog)["source"]} == {("station", "fake", WRITTEN), ("archive", "fake", "{}")}


def test_a_collection_is_kept_with_its_mappings_and_enrichers_in_order(catalog: Catalog, collection: Collection) -> None:
    catalog.enrichers = {**catalog.enrichers, "first": FakeEnricher(), "last": FakeEnricher()}
    added = catalog.add_collection(
        "station", "More", external_id="7", enabled=False, path_mappings={"/media/b": "/srv/b", "/media/a": "/srv/a"}
    )
    catalog.attach_enricher("More", "last", priority=200)
    catalog.attach_enricher("More", "fake", config=CONFIG)
    catalog.attach_enricher("More", "first", priority=-1)

    more, shows = catalog.collections()

    assert (more.id, more.source_id, more.name, more.external_id, more.enabled) == (
        added.id,
        collection.source_id,
        "More",
        "7",
        False,
    )
    assert [(each.source_path, each.local_path) for each in more.path_mappings] == [
        ("/media/a", "/srv/a"),
        ("/media/b", "/srv/b"),
    ]
    assert more.enrichers == (
        AttachedEnricher("first", {}, -1),
        AttachedEnricher("fake", TOLD, 100),
        AttachedEnricher("last", {}, 200),
    )
    assert shows == collection
    assert [row[3] for row in snapshot(catalog)["collection_enricher"] if row[1] == more.id] == ["{}", WRITTEN, "{}"]
