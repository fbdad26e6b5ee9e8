"""The row that is in an undo's way is named in words that people know it by, wherever these are to be had."""

from __future__ import annotations

from pathlib import Path

import apsw
import attrs
import pytest
from harness import movie

from retrovue_uow import AssetSelector, Catalog, Collection, UndoError
from retrovue_uow.testing import FakeImporter, snapshot


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    """A catalogue with three episodes and a movie, ingested by its newest unit."""
    catalog.ingest_collection(collection.name)
    return catalog


def reason_against(catalog: Catalog, unit_id: str | None) -> str:
    """Why the unit cannot be undone, without what is said of every unit; nothing is changed."""
    before = snapshot(catalog)
    with pytest.raises(UndoError) as caught:
        catalog.undo(unit_id or "")
    assert snapshot(catalog) == before
    return str(caught.value.cause).partition("nothing was changed: ")[2]


def behind_the_back(catalog: Catalog, sql: str) -> None:
    """Let another program change the catalogue."""
    other = apsw.Connection(catalog.database.path)
    other.execute(sql).fetchall()
    other.close()


def test_a_row_of_which_little_changed_goes_by_the_name_that_it_has_now(stocked: Catalog) -> None:
    approved = stocked.approve(AssetSelector(kind="movie"))
    (asset,) = stocked.assets(kind="movie")
    behind_the_back(stocked, "UPDATE asset SET approved = 0 WHERE kind = 'movie'")

    reason = reason_against(stocked, approved.unit_id)

    assert reason.startswith(f"asset {asset.canonical_key!r} ({asset.id}) was changed since, by somebody")


def test_a_row_that_is_gone_since_goes_by_its_key(stocked: Catalog) -> None:
    approved = stocked.approve(AssetSelector(kind="movie"))
    (asset,) = stocked.assets(kind="movie")
    wiped = stocked.wipe_collection("Shows")

    reason = reason_against(stocked, approved.unit_id)

    assert reason.startswith(f"asset {asset.id!r} was changed since, by unit {wiped.unit_id!r}")


def test_a_row_without_a_name_goes_by_its_key(stocked: Catalog) -> None:
    ingested = stocked.history(1)[0].id
    (link,) = snapshot(stocked)["movie_asset"]
    behind_the_back(stocked, "DELETE FROM movie_asset")

    reason = reason_against(stocked, ingested)

    assert reason.startswith(f"movie_asset {link[0]} is gone")


def test_who_has_a_collection_s_name_now_is_named(catalog: Catalog, collection: Collection, media: Path) -> None:
    """A collection is unique in two ways, of which the other one, without an external identifier, says nothing."""
    catalog.remove_collection("Shows")
    removal = catalog.history(1)[0].id
    later = catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})

    reason = reason_against(catalog, removal)

    assert reason.startswith(f"collection 'Shows' ({later.id}) has taken the place of collection 'Shows' ({collection.id})")


def test_who_lies_where_a_moved_file_lay_is_named(stocked: Catalog, importer: FakeImporter) -> None:
    """What makes a file unique is in part what no move changes: the collection that it is of."""
    (asset,) = stocked.assets(kind="movie")
    tron = movie("Tron", 1982)
    importer.drafts = [attrs.evolve(tron, file_path="/media/7.mkv", source_path="/media/7.mkv")]
    moved = stocked.ingest_collection("Shows")
    importer.drafts = [*importer.drafts, attrs.evolve(tron, size=7)]
    stocked.ingest_collection("Shows")
    (other,) = stocked.select(AssetSelector(path="Tron (1982).mkv"))

    reason = reason_against(stocked, moved.unit_id)

    assert f"asset {asset.canonical_key!r} ({other.id}) has taken the place of asset '/media/7.mkv' ({asset.id})" in reason
