"""Two files that hold the parts of one movie or episode are two assets, and no versions of each other."""

from __future__ import annotations

from pathlib import Path

import apsw
import attrs
import pytest
from commandline import Run
from harness import draft, movie

from retrovue_uow import AssetSelector, Catalog, Collection, IngestError
from retrovue_uow.testing import FakeImporter

HALVES = [
    attrs.evolve(movie("Slow Boat", 1971, duration_ms=9, size=part), source_path=f"/media/cd{part}.mkv", part=part)
    for part in (1, 2)
]


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    importer.drafts = HALVES
    catalog.ingest_collection("Shows")
    return catalog


def stored(catalog: Catalog) -> list[tuple[object, ...]]:
    other = apsw.Connection(catalog.database.path)
    return other.execute("SELECT canonical_key, part FROM asset ORDER BY canonical_key").fetchall()


BOTH = [("/media/cd1.mkv", 1), ("/media/cd2.mkv", 2)]


def test_both_parts_show_one_movie_and_are_told_apart(stocked: Catalog) -> None:
    assert stored(stocked) == BOTH
    assert [asset.part for asset in stocked.assets()] == [1, 2]
    assert [title.assets for title in stocked.titles()] == [2]
    other = apsw.Connection(stocked.database.path)
    assert other.execute("SELECT title, part FROM asset_listing ORDER BY part").fetchall() == [
        ("Slow Boat", 1),
        ("Slow Boat", 2),
    ]


def test_an_assignment_leaves_the_part(stocked: Catalog) -> None:
    stocked.assign(AssetSelector(title="Slow Boat"), kind="episode", title="Moor Inn", season_number=1, episode_numbers=(2,))
    stocked.ingest_collection("Shows", refresh="all")

    assert stored(stocked) == BOTH
    assert {(asset.title, asset.episode_numbers) for asset in stocked.assets()} == {("Moor Inn", (2,))}


def test_a_refresh_learns_of_parts_and_keeps_approval(stocked: Catalog, importer: FakeImporter) -> None:
    stocked.approve(AssetSelector())
    importer.drafts = [attrs.evolve(each, part=None) for each in HALVES]

    stocked.ingest_collection("Shows", refresh="all")

    assert [(asset.part, asset.approved) for asset in stocked.assets()] == [(None, True), (None, True)]
    stocked.undo(stocked.history()[0].id)
    assert stored(stocked) == BOTH


def test_a_file_that_is_renamed_to_another_part_counts_as_changed(stocked: Catalog, importer: FakeImporter) -> None:
    renamed = attrs.evolve(HALVES[1], source_path="/media/cd3.mkv", part=3)
    importer.drafts = [HALVES[0], renamed]

    assert stocked.ingest_collection("Shows", refresh=None).moved == 1
    assert stocked.ingest_collection("Shows", refresh=None).changed == 1
    assert stocked.ingest_collection("Shows").refreshed == 1
    assert stored(stocked) == [BOTH[0], ("/media/cd3.mkv", 3)]


@pytest.mark.parametrize("part", [0, -1, "1", True, 1.0])
def test_a_part_is_counted_from_one(catalog: Catalog, collection: Collection, importer: FakeImporter, part: object) -> None:
    importer.drafts = [draft("odd.mkv", kind="bumper", part=part)]

    with pytest.raises(IngestError, match=r"part must be an integer from 1"):
        catalog.ingest_collection("Shows")


def test_parts_are_listed_as_such(run: Run, here: Path) -> None:
    folder = here / "Moor Inn" / "Season 1"
    folder.mkdir(parents=True)
    for part in (1, 2):
        (folder / f"Moor Inn - S01E02 - The Fog CD{part}.mkv").touch()

    assert run("ingest", here / "Moor Inn", "--no-probe").exit_code == 0

    listed = run("asset", "list").stdout
    assert "Moor Inn S01E02 part 1" in listed
    assert "Moor Inn S01E02 part 2" in listed
    assert "Moor Inn S01E02 part 1" in run("asset", "explain", folder / "Moor Inn - S01E02 - The Fog CD1.mkv").stdout
