"""Setting up sources, collections, mappings and enrichers: what is accepted, what is refused, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrovue_uow import (
    BusinessRuleError,
    Catalog,
    Collection,
    ConfigurationError,
    ConflictError,
    FoundCollection,
    ResourceError,
    ValidationError,
)
from retrovue_uow.testing import FakeImporter, Snapshot, snapshot

Act = Callable[[Catalog], object]


def changed_tables(before: Snapshot, after: Snapshot) -> set[str]:
    return {table for table in before.tables if before[table] != after[table]} - {"unit_of_work", "operation"}


@pytest.fixture
def configured(catalog: Catalog, collection: Collection) -> Catalog:
    """`Shows` with assets, `Empty` without any, and the source `bare` without collections."""
    catalog.add_source("bare", "fake")
    catalog.add_collection("station", "Empty", external_id="42", path_mappings={"/empty": "/srv/empty"}, enabled=False)
    catalog.exclude("Empty", "Samples")
    catalog.ingest_collection("Shows")
    return catalog


CHANGES: dict[str, tuple[Act, set[str]]] = {
    "add_source": (lambda c: c.add_source("another", "filesystem", {"root": "/srv"}), {"source"}),
    "add_collection": (lambda c: c.add_collection("bare", "Shows"), {"collection"}),
    "add_collection with mappings": (
        lambda c: c.add_collection("bare", "X", path_mappings={"/a": "/b", "/c": "/d"}),
        {"collection", "path_mapping"},
    ),
    "map_path": (lambda c: c.map_path("Shows", "/more", "/srv/more"), {"path_mapping"}),
    "map_path below another": (lambda c: c.map_path("Empty", "/empty/sub", "/srv/empty/sub"), {"path_mapping"}),
    "unmap_path": (lambda c: c.unmap_path("Empty", "/empty/"), {"path_mapping"}),
    "exclude": (lambda c: c.exclude("Shows", "*.iso"), {"collection_exclude"}),
    "unexclude": (lambda c: c.unexclude("Empty", "samples"), {"collection_exclude"}),
    "enable_collection": (lambda c: c.enable_collection("Empty"), {"collection"}),
    "enable_collection again": (lambda c: c.enable_collection("Shows"), set()),
    "disable_collection": (lambda c: c.disable_collection("Shows"), {"collection"}),
    "set_upgrades": (lambda c: c.set_upgrades("Shows", "keep-approval"), {"collection"}),
    "set_upgrades again": (lambda c: c.set_upgrades("Shows", "ask"), set()),
    "attach_enricher": (lambda c: c.attach_enricher("42", "fake"), {"collection_enricher"}),
    "detach_enricher": (lambda c: c.detach_enricher("Shows", "fake"), {"collection_enricher"}),
    "remove_collection": (lambda c: c.remove_collection("Empty"), {"collection", "path_mapping", "collection_exclude"}),
    "remove_source": (lambda c: c.remove_source("bare"), {"source"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_touches_only_its_own_tables(configured: Catalog, name: str) -> None:
    act, tables = CHANGES[name]
    before = snapshot(configured)

    act(configured)

    assert changed_tables(before, snapshot(configured)) == tables
    assert configured.check().is_sound


LONE_SURROGATE = "a\udcff"
REFUSED: dict[str, tuple[Act, type[Exception]]] = {
    "source of a taken name": (lambda c: c.add_source("STATION"), ValidationError),
    "source without name": (lambda c: c.add_source(" "), ValidationError),
    "source named by no text": (lambda c: c.add_source(None), ValidationError),  # type: ignore[arg-type]
    "source with NUL": (lambda c: c.add_source("a\0b"), ValidationError),
    "source with surrogate": (lambda c: c.add_source(LONE_SURROGATE), ValidationError),
    "source of unknown type": (lambda c: c.add_source("new", "betamax"), ValidationError),
    "source of odd configuration": (lambda c: c.add_source("new", config={"rot": "/"}), ValidationError),
    "source with relative root": (lambda c: c.add_source("new", config={"root": "media"}), ValidationError),
    "discovery of nothing": (lambda c: c.discover_collections("nowhere"), ValidationError),
    "collection of unknown source": (lambda c: c.add_collection("nowhere", "New"), ValidationError),
    "collection of a taken name": (lambda c: c.add_collection("station", "SHOWS"), ValidationError),
    "collection of a taken external id": (lambda c: c.add_collection("station", "New", external_id="42"), ValidationError),
    "collection without name": (lambda c: c.add_collection("station", ""), ValidationError),
    "collection with relative mapping": (
        lambda c: c.add_collection("station", "New", path_mappings={"/a": "b"}),
        ValidationError,
    ),
    "collection that overlaps itself": (
        lambda c: c.add_collection("station", "New", path_mappings={"/a": "/srv", "/b": "/srv/b/c"}),
        ValidationError,
    ),
    "mapping that is there": (lambda c: c.map_path("Shows", "/media/", "/elsewhere"), ValidationError),
    "mapping to relative path": (lambda c: c.map_path("Shows", "/more", "srv"), ValidationError),
    "mapping with parent segment": (lambda c: c.map_path("Shows", "/more", "/srv/../etc"), ValidationError),
    "mapping from parent segment": (lambda c: c.map_path("Shows", "/more/..", "/srv"), ValidationError),
    "mapping with NUL": (lambda c: c.map_path("Shows", "/more", "/srv\0"), ValidationError),
    "mapping with surrogate": (lambda c: c.map_path("Shows", "/more", "/" + LONE_SURROGATE), ValidationError),
    "mapping to the same files": (lambda c: c.map_path("Empty", "/other", "/srv/empty"), ValidationError),
    "mapping of nothing": (lambda c: c.map_path("Nothing", "/a", "/b"), ValidationError),
    "unmapping what is not mapped": (lambda c: c.unmap_path("Shows", "/nowhere"), ValidationError),
    "unmapping what assets came through": (lambda c: c.unmap_path("Shows", "/media"), BusinessRuleError),
    "exclude of nothing": (lambda c: c.exclude("Shows", ""), ValidationError),
    "exclude of the root": (lambda c: c.exclude("Shows", "./"), ValidationError),
    "exclude of a blank": (lambda c: c.exclude("Shows", " "), ValidationError),
    "exclude that is no text": (lambda c: c.exclude("Shows", ("*.iso",)), ValidationError),  # type: ignore[arg-type]
    "exclude with NUL": (lambda c: c.exclude("Shows", "a\0b"), ValidationError),
    "exclude with surrogate": (lambda c: c.exclude("Shows", LONE_SURROGATE), ValidationError),
    "exclude that is there": (lambda c: c.exclude("Empty", "SAMPLES"), ValidationError),
    "exclude of an unknown collection": (lambda c: c.exclude("Nothing", "*.iso"), ValidationError),
    "including again what is not excluded": (lambda c: c.unexclude("Shows", "Samples"), ValidationError),
    "including again what is no text": (lambda c: c.unexclude("Empty", None), ValidationError),  # type: ignore[arg-type]
    "enabling by wildcard": (lambda c: c.enable_collection("Em%"), ValidationError),
    "disabling nothing": (lambda c: c.disable_collection(""), ValidationError),
    "enricher of unknown type": (lambda c: c.attach_enricher("Shows", "crystal ball"), ValidationError),
    "enricher attached twice": (lambda c: c.attach_enricher("Shows", "fake"), ValidationError),
    "enricher of odd configuration": (lambda c: c.attach_enricher("Shows", "filename", config={"x": 1}), ValidationError),
    "detaching what is not attached": (lambda c: c.detach_enricher("Shows", "nfo"), ValidationError),
    "removing a collection with assets": (lambda c: c.remove_collection("Shows"), BusinessRuleError),
    "removing an unknown collection": (lambda c: c.remove_collection("Nothing"), ValidationError),
    "removing a source with collections": (lambda c: c.remove_source("station"), BusinessRuleError),
    "removing an unknown source": (lambda c: c.remove_source("nowhere"), ValidationError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(configured: Catalog, name: str) -> None:
    act, cause = REFUSED[name]
    before = snapshot(configured)

    with pytest.raises(ConfigurationError) as caught:
        act(configured)

    assert type(caught.value.cause) is cause
    assert snapshot(configured) == before


CLAIMING: dict[str, Act] = {
    name: CHANGES[name][0] for name in ("map_path", "exclude", "disable_collection", "detach_enricher")
} | {
    "unmap_path": lambda c: c.unmap_path("Shows", "/media"),
    "unexclude": lambda c: c.unexclude("Shows", "Samples"),
    "enable_collection": lambda c: c.enable_collection("Shows"),
    "attach_enricher": lambda c: c.attach_enricher("Shows", "nfo"),
    "remove_collection": lambda c: c.remove_collection("Shows"),
}


@pytest.mark.parametrize("name", CLAIMING)
def test_a_collection_that_somebody_works_on_is_not_changed(configured: Catalog, name: str) -> None:
    with (
        configured.prepare_ingest("Shows"),
        Catalog(configured.database.path) as other,
        pytest.raises(ConfigurationError) as caught,
    ):
        CLAIMING[name](other)

    assert isinstance(caught.value.cause, ConflictError)


def test_what_was_set_up_is_what_is_read(catalog: Catalog, collection: Collection) -> None:
    added = catalog.add_collection("station", "Über", external_id="7", path_mappings={"file:///a/": "/srv/./a/"})

    assert catalog.collection("über") == added
    assert [(each.source_path, each.local_path) for each in added.path_mappings] == [("/a", "/srv/a")]
    assert catalog.source("STATION").type == "fake"
    assert [each.name for each in catalog.collections("station")] == ["Shows", "Über"]


def test_an_asset_s_facts_stay_when_its_enricher_is_detached(configured: Catalog) -> None:
    before = configured.assets()

    configured.detach_enricher("Shows", "fake")

    assert configured.assets() == before


class TestDiscovery:
    def test_new_collections_come_disabled_with_their_mappings(self, configured: Catalog, importer: FakeImporter) -> None:
        importer.found = [FoundCollection("Found", "99", {"/found": "/srv/found"})]

        (found,) = configured.discover_collections("station")

        assert (found.name, found.external_id, found.enabled) == ("Found", "99", False)
        assert [each.local_path for each in found.path_mappings] == ["/srv/found"]

    def test_known_collections_are_left_as_they_are(self, configured: Catalog, importer: FakeImporter) -> None:
        importer.found = [FoundCollection("Renamed", "42", {"/new": "/srv/new"}), FoundCollection("Shows")]
        before = snapshot(configured, journal=False)

        found = configured.discover_collections("station")

        assert [each.name for each in found] == ["Empty", "Shows"]
        assert snapshot(configured, journal=False) == before

    @pytest.mark.parametrize(
        ("found", "cause"),
        [
            (["no collection"], ValidationError),
            ([FoundCollection("Good"), FoundCollection(" ")], ValidationError),
            ([FoundCollection("Good"), FoundCollection("Bad", path_mappings={"/a": "relative"})], ValidationError),
        ],
        ids=["text", "blank name", "relative mapping"],
    )
    def test_garbage_adds_none(self, configured: Catalog, importer: FakeImporter, found: Any, cause: type[Exception]) -> None:
        importer.found = found
        before = snapshot(configured)

        with pytest.raises(ConfigurationError) as caught:
            configured.discover_collections("station")

        assert isinstance(caught.value.cause, cause)
        assert snapshot(configured) == before

    def test_two_new_collections_of_one_name_are_refused(self, configured: Catalog, importer: FakeImporter) -> None:
        importer.found = [FoundCollection("Twin", "1"), FoundCollection("Twin", "2")]

        with pytest.raises(ConfigurationError):
            configured.discover_collections("station")

        assert len(configured.collections()) == 2

    def test_an_unreachable_source_is_refused(self, configured: Catalog, importer: FakeImporter) -> None:
        importer.unreachable = OSError("no route")

        with pytest.raises(ConfigurationError, match="no route") as caught:
            configured.discover_collections("station")

        assert isinstance(caught.value.cause, ResourceError)

    def test_a_filesystem_source_s_folders_are_its_collections(self, catalog: Catalog, tmp_path: Path) -> None:
        for name in ("Movies", "Shows", ".hidden"):
            (tmp_path / "root" / name).mkdir(parents=True)
        catalog.add_source("disk", config={"root": str(tmp_path / "root")})

        assert [each.name for each in catalog.discover_collections("disk")] == ["Movies", "Shows"]


@pytest.mark.parametrize(
    "config", [{"a": float("nan")}, ["a"], {"a": "\udcff"}, {"a": object()}], ids=["NaN", "list", "surrogate", "object"]
)
def test_a_configuration_that_is_no_json_object_is_refused_at_preflight(
    catalog: Catalog, collection: Collection, config: Any
) -> None:
    catalog.detach_enricher("Shows", "fake")
    before = snapshot(catalog)

    for call in (
        lambda: catalog.add_source("second", "fake", config),
        lambda: catalog.attach_enricher("Shows", "fake", config=config),
    ):
        with pytest.raises(ConfigurationError, match="JSON object") as caught:
            call()
        assert (caught.value.phase, type(caught.value.cause)) == ("preflight", ValidationError)

    assert snapshot(catalog) == before
