"""Forgetting deletes what is marked missing, no more than can be meant, and can be undone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import episode, movie

from retrovue_uow import Catalog, Collection, ConflictError, ForgetError, Marker, ValidationError
from retrovue_uow.testing import FakeImporter, snapshot

SHOWS = [episode("Space: 1999", 1, number) for number in range(1, 20)]
TRON = movie("Tron", 1982, markers=(Marker("avail", 5),), metadata={"editorial": {"studio": "Disney"}})


@pytest.fixture
def thinned(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue of twenty assets, of which the movie is missing."""
    importer.drafts = [*SHOWS, TRON]
    catalog.ingest_collection("Shows")
    importer.drafts = SHOWS
    catalog.ingest_collection("Shows")
    return catalog


def test_what_is_missing_goes_with_what_only_it_held_up(thinned: Catalog) -> None:
    result = thinned.forget_missing("Shows")

    assert (result.forgotten, result.kept, result.paths) == (1, 0, ("/media/Tron (1982).mkv",))
    assert {table: count for table, count in result.deleted.items() if count} == {
        "asset": 1,
        "movie_asset": 1,
        "marker": 1,
        "asset_metadata": 1,
        "title": 1,
    }
    assert len(thinned.assets()) == 19
    assert thinned.assets(missing=True) == []
    assert thinned.check().is_sound


def test_it_is_undone(thinned: Catalog) -> None:
    before = snapshot(thinned, journal=False)

    thinned.undo(thinned.forget_missing("Shows").unit_id or "")

    assert snapshot(thinned, journal=False) == before


def test_a_dry_run_tells_the_changes_of_the_real_one(thinned: Catalog) -> None:
    before = snapshot(thinned)

    preview = thinned.forget_missing("Shows", dry_run=True)

    assert snapshot(thinned) == before
    real = thinned.forget_missing("Shows")
    assert preview.changes == real.changes
    assert (preview.deleted, preview.paths) == (real.deleted, real.paths)


def test_only_what_is_old_enough_goes(thinned: Catalog) -> None:
    with thinned.session() as db:
        db.execute("UPDATE asset SET missing_since = '2020-01-01T00:00:00.000000Z' WHERE canonical_key LIKE '%S01E01.mkv'")

    result = thinned.forget_missing("Shows", older_than=timedelta(days=90))

    assert (result.forgotten, result.kept) == (1, 1)
    assert result.paths == ("/media/Space: 1999/S01E01.mkv",)


def test_more_than_the_fraction_is_refused_unless_told(thinned: Catalog, importer: FakeImporter) -> None:
    importer.drafts = SHOWS[:16]
    thinned.ingest_collection("Shows")
    before = snapshot(thinned)

    with pytest.raises(ForgetError, match="4 of the 20 assets") as caught:
        thinned.forget_missing("Shows")

    assert isinstance(caught.value.cause, ValidationError)
    assert snapshot(thinned) == before
    assert thinned.forget_missing("Shows", max_fraction=0.2).forgotten == 4


def test_another_number_than_expected_is_refused(thinned: Catalog) -> None:
    with pytest.raises(ForgetError, match="not the expected 2"):
        thinned.forget_missing("Shows", expect_assets=2)

    assert thinned.forget_missing("Shows", expect_assets=1).forgotten == 1


def test_where_nothing_is_missing_nothing_happens(thinned: Catalog) -> None:
    thinned.forget_missing("Shows")
    before = snapshot(thinned, journal=False)

    assert thinned.forget_missing("Shows").forgotten == 0
    assert snapshot(thinned, journal=False) == before


def test_other_collections_are_left_alone(thinned: Catalog, importer: FakeImporter, media: Path) -> None:
    thinned.add_collection("station", "More", path_mappings={"/media": str(media)})
    importer.drafts = [TRON]
    thinned.ingest_collection("More")

    result = thinned.forget_missing("Shows")

    assert result.deleted["title"] == 0
    assert [asset.title for asset in thinned.assets("More")] == ["Tron"]


def test_a_collection_in_use_is_left_alone(thinned: Catalog) -> None:
    other = Catalog(thinned.database.path, importers=thinned.importers, enrichers=thinned.enrichers)
    with other, other.prepare_ingest("Shows"), pytest.raises(ForgetError) as caught:
        thinned.forget_missing("Shows")

    assert isinstance(caught.value.cause, ConflictError)


@pytest.mark.parametrize(
    "options",
    [
        {"older_than": -timedelta(1)},
        {"older_than": timedelta.max},
        {"older_than": 90},
        {"max_fraction": 1.1},
        {"max_fraction": -0.1},
        {"max_fraction": "all"},
        {"max_fraction": float("nan")},
        {"max_fraction": float("inf")},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(thinned: Catalog, options: dict[str, Any]) -> None:
    before = snapshot(thinned)

    with pytest.raises(ForgetError) as caught:
        thinned.forget_missing("Shows", **options)

    assert isinstance(caught.value.cause, ValidationError)
    assert snapshot(thinned) == before
