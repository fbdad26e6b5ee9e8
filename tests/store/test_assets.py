"""Assets as an ingest and the command line look for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft

from retrovue_uow import AssetSelector, Catalog, Collection, ResourceError, ValidationError
from retrovue_uow.model import FileFacts
from retrovue_uow.store import assets, collections
from retrovue_uow.store.known import KnownAsset, KnownAssets, missing_assets
from retrovue_uow.testing import FakeImporter

ROW = ("id", "key", 60_000, None, "/media/a.mkv", 1000, 7, "sidecars", "enrichers")
FACTS = FileFacts(*ROW[4:])


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    importer.drafts = [draft("b.mkv"), draft("a.mkv")]
    catalog.ingest_collection(collection.name)
    return catalog


class TestKnownAssets:
    def test_they_are_a_mapping_by_key(self) -> None:
        known = KnownAssets([ROW])

        assert dict(known) == {"key": KnownAsset(*ROW[:4], FACTS)}
        assert (len(known), len(KnownAssets())) == (1, 0)

    def test_a_file_is_unchanged_if_nothing_that_tells_of_a_change_differs(self) -> None:
        assert KnownAssets([ROW]).has("key", FACTS)
        assert not FACTS.has_changed(FACTS)

    @pytest.mark.parametrize("name", FileFacts._fields)
    def test_whatever_differs_tells_of_a_change(self, name: str) -> None:
        differing = FACTS._replace(**{name: "another"})  # type: ignore[arg-type]  # text in place of a number, too

        assert not KnownAssets([ROW]).has("key", differing)
        assert FACTS.has_changed(differing) == (name != "enrichers")
        assert FACTS.is_outdated(differing) == (name == "enrichers")
        assert FACTS.is_another_file(differing) == (name in {"size", "mtime_ns"})

    def test_a_file_that_is_to_be_read_again_has_changed(self) -> None:
        unread = FACTS._replace(enrichers="")

        assert unread.has_changed(FACTS)
        assert not unread.is_outdated(FACTS)

    def test_another_key_is_another_file(self) -> None:
        assert not KnownAssets([ROW]).has("another", FACTS)

    @pytest.mark.parametrize("name", ["size", "mtime_ns"])
    def test_what_was_not_known_is_no_difference_and_yet_to_be_written(self, name: str) -> None:
        unknown = FACTS._replace(**{name: None})  # type: ignore[arg-type]  # only of those two

        assert not unknown.has_changed(FACTS)
        assert not unknown.is_another_file(FACTS)
        assert not KnownAssets([(*ROW[:4], *unknown)]).has("key", FACTS)

    def test_a_file_that_was_missing_is_not_unchanged(self) -> None:
        missing = (*ROW[:3], "2026-01-31T09:05:07Z", *ROW[4:])

        assert not KnownAssets([missing]).has("key", FACTS)


class TestNamed:
    @pytest.mark.parametrize("name", ["id", "canonical_key", "file_path"])
    def test_an_asset_is_found_by_identifier_key_and_file(self, stocked: Catalog, name: str) -> None:
        first, second = stocked.assets()

        assert assets.assets_named(stocked.database, [getattr(second, name)]) == [second]
        assert assets.assets_named(stocked.database, ["nothing", getattr(first, name)]) == [first]

    def test_several_come_by_collection_and_key(self, stocked: Catalog, media: Path) -> None:
        stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
        stocked.ingest_collection("More")

        found = assets.assets_named(stocked.database, [str(media / "b.mkv"), "/media/a.mkv"])

        assert found == stocked.assets()
        assert len(found) == 4

    def test_a_file_that_lies_elsewhere_than_its_mapping_says_is_found(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, media: Path
    ) -> None:
        importer.drafts = [attrs.evolve(draft("a.mkv"), file_path="/media/store/1.mkv")]
        catalog.ingest_collection(collection.name)

        (found,) = assets.assets_named(catalog.database, ["a.mkv", str(media / "store" / "1.mkv")])

        assert found == catalog.assets()[0]
        assert catalog.select(AssetSelector(path=str(media / "store" / "1.mkv"))) == [found]

    @pytest.mark.parametrize(
        ("source", "local"), [("/", "{media}"), ("/media", "/"), ("C:/", "{media}"), ("smb://nas", "{media}")]
    )
    def test_a_path_leads_through_any_mapping(
        self, catalog: Catalog, importer: FakeImporter, media: Path, source: str, local: str
    ) -> None:
        local = local.format(media=media)
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={source: local})
        path = os.path.join(local, "srv", "a.mkv")
        importer.drafts = [attrs.evolve(draft("a.mkv"), source_path=f"{source.rstrip('/')}/srv/a.mkv", file_path=path)]
        catalog.ingest_collection("Shows")
        (asset,) = catalog.assets()

        for name in (path, asset.canonical_key):
            assert assets.assets_named(catalog.database, [name]) == [asset]
            assert catalog.select(AssetSelector(path=name)) == [asset]

    def test_what_nothing_is_called_finds_nothing(self, stocked: Catalog) -> None:
        assert assets.assets_named(stocked.database, ["a.mkv", ""]) == []


class TestPages:
    def test_a_page_begins_after_the_last_asset_of_the_page_before(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, media: Path
    ) -> None:
        catalog.add_collection("station", "More", path_mappings={"/media": str(media)})
        importer.drafts = [draft(f"{number}.mkv") for number in range(5)]
        for name in ("Shows", "More"):
            catalog.ingest_collection(name)

        pages = [catalog.assets(limit=3)]
        while pages[-1]:
            pages.append(catalog.assets(limit=3, after=pages[-1][-1]))

        assert [len(page) for page in pages] == [3, 3, 3, 1, 0]
        assert [asset for page in pages for asset in page] == catalog.assets()

    def test_it_holds_what_the_selector_describes_though_its_first_asset_is_gone(self, stocked: Catalog) -> None:
        first, second = stocked.assets()
        gone = attrs.evolve(first, canonical_key="/media/0.mkv")

        assert stocked.select(AssetSelector(path="*.mkv"), limit=1, after=gone) == [first]
        assert stocked.select(AssetSelector(path="*.mkv"), after=first) == [second]
        assert stocked.select(AssetSelector(), limit=0) == []

    @pytest.mark.parametrize("question", [{"limit": -1}, {"limit": True}, {"limit": "1"}, {"limit": 2**63}, {"after": "1"}])
    def test_a_page_that_makes_no_sense_is_refused(self, stocked: Catalog, question: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="must be"):
            stocked.assets(**question)


class TestMissing:
    def test_what_is_marked_missing_stays_so_until_it_returns(self, stocked: Catalog, collection: Collection) -> None:
        first, second = stocked.assets()
        since = "2026-01-31T09:05:07.123456Z"

        with stocked.session() as db:
            assets.mark_missing(db, [second.id, first.id], since=since)
            assets.mark_returned(db, first.id)

        assert [asset.missing_since for asset in stocked.assets()] == [None, since]
        (missing,) = missing_assets(stocked.database, collection.id)
        assert (missing.id, missing.key, missing.missing_since) == (second.id, second.canonical_key, since)


def test_assets_are_counted_by_collection(stocked: Catalog, collection: Collection) -> None:
    assert collections.count_assets(stocked.database, collection.id) == 2
    assert collections.count_assets(stocked.database, "nothing") == 0


def test_when_an_asset_was_created_is_kept(stocked: Catalog) -> None:
    unit = stocked.history(1)[0]

    created = {assets.created_at(stocked.database, asset.id) for asset in stocked.assets()}

    assert all(unit.started_at <= each <= unit.committed_at for each in created)


@pytest.mark.parametrize("question", [{"kind": "nope"}, {"state": "nope"}, {"title": 5}, {"kind": []}], ids=repr)
def test_a_question_that_makes_no_sense_is_refused(stocked: Catalog, question: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        stocked.assets(**question)


def test_a_number_of_an_episode_that_a_damaged_file_holds_is_named(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    importer.drafts = [draft("a.mkv", kind="episode", title="Dark", season_number=1, episode_numbers=(1,))]
    catalog.ingest_collection("Shows")
    row = list(catalog.database.execute(assets._FIND)[0])  # a STRICT table takes no such number: only damage puts it there
    row[assets._NUMBERS] = "2026-11-29T09:51:36Z"

    with pytest.raises(ResourceError, match=r"episode\.number holds '2026.*damaged"):
        assets._asset(tuple(row))
