"""Wiping takes exactly what is the collection's own, and says how much that was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import (
    Catalog,
    Collection,
    ContractError,
    Marker,
    OperationError,
    ResourceError,
    ValidationError,
    WipeError,
    WipeOptions,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

CATALOGUE_TABLES = (
    "asset",
    "asset_metadata",
    "episode",
    "episode_asset",
    "finding",
    "marker",
    "movie_asset",
    "season",
    "title",
)


@pytest.fixture
def shared(catalog: Catalog, collection: Collection, importer: FakeImporter, media: Path) -> Catalog:
    """Two collections, `Shows` and `More`, which share a show, a season, an episode and a movie, and have some of their own."""
    facts = {"metadata": {"editorial": {"plot": "…"}}, "markers": (Marker("avail", 5), Marker("intro", 0, 4))}
    importer.drafts = [
        episode("Both", 1, 1, **facts),
        episode("Both", 1, 2),
        episode("Both", 2, 1),
        episode("Own", 1, 1),
        movie("Tron", 1982, **facts),
        movie("Alien", 1979),
        draft("bumper.mkv", kind="bumper"),
    ]
    catalog.ingest_collection("Shows")
    catalog.add_collection("station", "More", path_mappings={"/media": str(media)})
    importer.drafts = [episode("Both", 1, 1, **facts), movie("Tron", 1982), episode("Theirs", 1, 1)]
    catalog.ingest_collection("More")
    return catalog


def cause_of(caught: pytest.ExceptionInfo[WipeError]) -> BaseException:
    return caught.value.cause


def test_the_counts_are_the_rows_that_went(shared: Catalog) -> None:
    before = snapshot(shared)

    result = shared.wipe_collection("Shows")

    after = snapshot(shared)
    went = {table: len(before[table]) - len(after[table]) for table in CATALOGUE_TABLES}
    assert dict(result.deleted) == went
    assert went == {
        "asset": 7,
        "asset_metadata": 2,
        "episode": 3,
        "episode_asset": 4,
        "finding": 0,
        "marker": 4,
        "movie_asset": 2,
        "season": 2,
        "title": 2,
    }
    assert all(set(after[table]) <= set(before[table]) for table in CATALOGUE_TABLES)


def test_what_another_collection_holds_up_stays(shared: Catalog) -> None:
    theirs = shared.assets("More")

    shared.wipe_collection("Shows")

    assert [title.name for title in shared.titles()] == ["Both", "Theirs", "Tron"]
    assert shared.assets() == theirs
    assert shared.check().is_sound


def test_wiping_every_collection_leaves_no_title(shared: Catalog) -> None:
    for each in ("Shows", "More"):
        shared.wipe_collection(each)

    after = snapshot(shared)
    assert {table: after[table] for table in CATALOGUE_TABLES} == {table: [] for table in CATALOGUE_TABLES}


def test_configuration_stays(shared: Catalog) -> None:
    before = snapshot(shared)

    shared.wipe_collection("Shows")

    after = snapshot(shared)
    for table in ("source", "collection", "path_mapping", "collection_enricher"):
        assert after[table] == before[table]


def test_an_ingest_after_a_wipe_finds_everything_new(shared: Catalog) -> None:
    shared.wipe_collection("More")

    assert shared.ingest_collection("More").created == 3


@pytest.mark.parametrize("hinder", ["disabled", "unreachable", "unmounted", "enricher gone"])
def test_a_wipe_needs_neither_source_nor_disk_nor_enabling(
    shared: Catalog, importer: FakeImporter, enricher: FakeEnricher, media: Path, hinder: str
) -> None:
    hinderances: dict[str, Callable[[], object]] = {
        "disabled": lambda: shared.disable_collection("Shows"),
        "unreachable": lambda: setattr(importer, "unreachable", ResourceError("no route")),
        "unmounted": lambda: media.rename(media.with_name("elsewhere")),
        "enricher gone": lambda: setattr(enricher, "unavailable", ResourceError("not installed")),
    }
    hinderances[hinder]()

    assert shared.wipe_collection("Shows").deleted["asset"] == 7


def test_an_empty_collection_may_be_wiped(catalog: Catalog, collection: Collection) -> None:
    assert set(catalog.wipe_collection("Shows").deleted.values()) == {0}


def test_a_dry_run_reports_what_the_real_one_does_and_leaves_no_trace(shared: Catalog) -> None:
    before = snapshot(shared)

    dry = shared.wipe_collection("Shows", WipeOptions(dry_run=True))
    assert snapshot(shared) == before
    real = shared.wipe_collection("Shows")

    assert dry.dry_run
    assert attrs.evolve(dry, dry_run=False, duration_s=0) == attrs.evolve(real, unit_id=None, duration_s=0)


@pytest.mark.parametrize("expected", [0, 6, 8, -1])
def test_another_number_of_assets_than_expected_is_refused(shared: Catalog, expected: int) -> None:
    before = snapshot(shared)

    with pytest.raises(WipeError, match=f"holds 7 assets, not the expected {expected}") as caught:
        shared.wipe_collection("Shows", WipeOptions(expect_assets=expected))

    assert isinstance(cause_of(caught), ValidationError)
    assert caught.value.phase == "preflight"
    assert snapshot(shared) == before


@pytest.mark.parametrize("expected", [None, 7])
def test_the_expected_number_of_assets_goes(shared: Catalog, expected: int | None) -> None:
    assert shared.wipe_collection("Shows", WipeOptions(expect_assets=expected)).deleted["asset"] == 7


@pytest.mark.parametrize("selector", ["Nothing", "Sh%", "Show_", "%", "_____", "", "Show"])
def test_a_selector_that_names_nothing_wipes_nothing(shared: Catalog, selector: str) -> None:
    before = snapshot(shared)

    with pytest.raises(WipeError) as caught:
        shared.wipe_collection(selector)

    assert isinstance(cause_of(caught), ValidationError)
    assert snapshot(shared) == before


def test_wildcards_in_a_name_are_letters(shared: Catalog) -> None:
    shared.add_collection("station", "%")

    assert shared.wipe_collection("%").collection.name == "%"
    assert len(shared.assets()) == 10


def test_an_ambiguous_selector_lists_its_candidates(shared: Catalog) -> None:
    shared.add_source("second", "fake")
    other = shared.add_collection("second", "shows")

    with pytest.raises(WipeError, match=rf"ambiguous.*{other.id}"):
        shared.wipe_collection("SHOWS")


def test_a_wipe_is_refused_while_somebody_else_works_on_the_collection(shared: Catalog) -> None:
    with shared.prepare_ingest("Shows"), Catalog(shared.database.path) as other, pytest.raises(WipeError, match="in use"):
        other.wipe_collection("Shows")

    assert shared.wipe_collection("Shows").deleted["asset"] == 7


def test_a_wipe_whose_error_is_swallowed_does_not_commit_what_surrounds_it(shared: Catalog) -> None:
    before = snapshot(shared)

    with pytest.raises(ContractError), shared.session():
        shared.disable_collection("More")
        with pytest.raises(OperationError):
            shared.wipe_collection("Shows", WipeOptions(expect_assets=1))

    assert snapshot(shared) == before


def test_a_dry_run_inside_a_session_leaves_the_session_usable(shared: Catalog) -> None:
    with shared.session():
        dry = shared.wipe_collection("Shows", WipeOptions(dry_run=True))
        shared.disable_collection("Shows")

    assert dry.deleted["asset"] == 7
    assert len(shared.assets("Shows")) == 7
    assert not shared.collection("Shows").enabled


def test_a_dry_run_that_fails_may_be_survived(shared: Catalog) -> None:
    with shared.session():
        with pytest.raises(WipeError):
            shared.wipe_collection("Shows", WipeOptions(dry_run=True, expect_assets=1))
        shared.disable_collection("Shows")

    assert not shared.collection("Shows").enabled


@pytest.mark.parametrize("options", [None, True, {"dry_run": True}], ids=repr)
def test_what_is_no_options_is_refused(shared: Catalog, options: Any) -> None:
    with pytest.raises(ContractError, match="WipeOptions"):
        shared.wipe_collection("Shows", options)

    assert len(shared.assets()) == 10
