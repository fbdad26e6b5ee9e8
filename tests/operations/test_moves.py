"""A file that lies elsewhere now is the same asset, where that can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import AssetDraft, AssetSelector, Catalog, Collection, IngestFilters, Sidecar
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

TRON = movie("Tron", 1982)


def at(path: str, found: AssetDraft, **facts: Any) -> AssetDraft:
    """The draft as it is found under another path."""
    return attrs.evolve(found, file_path=f"/media/{path}", source_path=f"/media/{path}", **facts)


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with two episodes and an approved movie."""
    importer.drafts = [episode("Space: 1999", 1, 1), episode("Space: 1999", 1, 2), TRON]
    catalog.ingest_collection("Shows")
    with catalog.session() as db:
        db.execute("UPDATE asset SET approved = 1 WHERE kind = 'movie'")
    return catalog


def relocate(importer: FakeImporter, *movies: AssetDraft) -> None:
    """Let these be found instead of the movie."""
    importer.drafts = [episode("Space: 1999", 1, 1), episode("Space: 1999", 1, 2), *movies]


def test_a_moved_file_keeps_its_asset_with_approval_and_links(stocked: Catalog, importer: FakeImporter) -> None:
    (before,) = stocked.assets(kind="movie")
    relocate(importer, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows")

    (after,) = stocked.assets(kind="movie")
    assert (result.moved, result.created, result.missing, result.unchanged) == (1, 0, 0, 2)
    assert result.discovered == result.unchanged + result.moved
    assert result.paths["moved"] == ("/media/Films/Tron.mkv",)
    assert (after.canonical_key, after.file_path[-14:]) == ("/media/Films/Tron.mkv", "Films/Tron.mkv")
    assert attrs.evolve(after, canonical_key=before.canonical_key, file_path=before.file_path) == before
    assert after.approved
    assert stocked.check().is_sound


def test_after_a_move_the_next_ingest_finds_nothing_to_do(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("Films/Tron.mkv", TRON))
    stocked.ingest_collection("Shows")
    before = snapshot(stocked, journal=False)

    assert stocked.ingest_collection("Shows").unchanged == 3
    assert snapshot(stocked, journal=False) == before


def test_an_asset_that_was_missing_already_is_found_again_elsewhere(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer)
    assert stocked.ingest_collection("Shows").missing == 1
    relocate(importer, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.returned) == (1, 0)
    assert stocked.assets(missing=True) == []


@pytest.mark.parametrize("difference", [{"size": 7}, {"mtime_ns": 7}, {"duration_ms": 7}])
def test_what_differs_is_no_move(
    stocked: Catalog, importer: FakeImporter, enricher: FakeEnricher, difference: dict[str, Any]
) -> None:
    enricher.returns = lambda found: attrs.evolve(found, duration_ms=found.duration_ms or 60_000)
    relocate(importer, at("Films/Tron.mkv", TRON, **difference))

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 1, 0)


@pytest.mark.parametrize("column", ["size", "mtime_ns"])
def test_an_unknown_fact_is_no_evidence(stocked: Catalog, importer: FakeImporter, column: str) -> None:
    with stocked.session() as db:
        db.execute(f"UPDATE asset SET {column} = NULL")  # noqa: S608  the names are those above
    relocate(importer, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 1, 0)


def test_an_unknown_duration_is_no_evidence(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
) -> None:
    enricher.returns = lambda found: found
    importer.drafts = [TRON, episode("Space: 1999", 1, 1)]
    catalog.ingest_collection("Shows")
    importer.drafts = [at("Films/Tron.mkv", TRON), episode("Space: 1999", 1, 1)]

    result = catalog.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing) == (0, 1, 1)


def test_a_file_that_was_copied_twice_is_ambiguous_and_listed(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("a.mkv", TRON), at("b.mkv", TRON))

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 2, 1, 3)
    assert result.paths["ambiguous"] == ("/media/Tron (1982).mkv", "/media/a.mkv", "/media/b.mkv")


def test_two_that_look_the_same_and_both_went_are_ambiguous(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    twins = [draft(f"{name}.mkv", kind="bumper", mtime_ns=5) for name in "ab"]
    importer.drafts = [*twins, TRON]
    catalog.ingest_collection("Shows")
    importer.drafts = [at("c.mkv", twins[0]), TRON]

    result = catalog.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 2, 3)


def test_what_looks_like_an_asset_that_stayed_is_no_move(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    """Advertisements of one constant bit rate, out of one archive: the new one is no old one that was renamed."""
    ads = [draft(f"ad {number}.mpg", kind="commercial", mtime_ns=5) for number in (1, 2, 3)]
    importer.drafts = ads
    catalog.ingest_collection("Shows")
    catalog.approve(catalog.assets())
    importer.drafts = [*ads[:2], at("brand new.mpg", ads[0])]

    result = catalog.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 1, 4)
    assert result.paths["ambiguous"] == tuple(f"/media/{name}.mpg" for name in ("ad 1", "ad 2", "ad 3", "brand new"))
    assert [asset.canonical_key for asset in catalog.schedulable_assets()] == ["/media/ad 1.mpg", "/media/ad 2.mpg"]


def test_what_looks_like_a_missing_asset_that_was_left_out_is_no_move(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    ads = [draft(f"ad {number}.mpg", kind="commercial", mtime_ns=5) for number in (1, 2)]
    importer.drafts = [*ads, TRON]
    catalog.ingest_collection("Shows")
    importer.drafts = [at("brand new.mpg", ads[0]), TRON]

    result = catalog.ingest_collection("Shows", IngestFilters(exclude=("ad 2.mpg",)))

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 1, 3)


def test_a_copy_beside_the_original_is_no_move(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, TRON, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.created, result.missing, result.ambiguous) == (0, 1, 0, 0)


def test_a_filtered_ingest_moves_nothing(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows", IngestFilters("Tron"))

    assert (result.moved, result.created, result.missing) == (0, 1, 0)


def test_an_excluded_file_is_not_taken_for_moved(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("Films/Tron.mkv", TRON))

    result = stocked.ingest_collection("Shows", IngestFilters(exclude=("Tron (1982)*",)))

    assert (result.moved, result.created, result.missing) == (0, 1, 0)


def test_other_collections_have_no_part_in_a_move(stocked: Catalog, importer: FakeImporter, media: Path) -> None:
    relocate(importer)
    stocked.ingest_collection("Shows")
    stocked.add_collection("station", "More", path_mappings={"/media": str(media)})
    importer.drafts = [at("Films/Tron.mkv", TRON, duration_ms=60_000)]

    assert stocked.ingest_collection("More").created == 1


def test_a_name_that_tells_something_else_waits_for_a_refresh(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("bumpers/Tron.mkv", TRON, kind="bumper", title=None, year=None))

    assert stocked.ingest_collection("Shows", refresh=None).moved == 1

    assert [(each.title, each.approved) for each in stocked.assets(kind="movie")] == [("Tron", True)]
    assert stocked.ingest_collection("Shows", refresh=None).changed == 1
    assert stocked.ingest_collection("Shows").refreshed == 1
    assert [(each.title, each.approved) for each in stocked.assets(kind="bumper")] == [(None, False)]


@pytest.mark.parametrize("refresh", ["files", "changed", "all"])
def test_a_refresh_reads_a_moved_file_at_once(
    stocked: Catalog, importer: FakeImporter, refresh: Literal["files", "changed", "all"]
) -> None:
    (before,) = stocked.assets(kind="movie")
    relocate(importer, at("bumpers/Tron.mkv", TRON, kind="bumper", title=None, year=None))

    result = stocked.ingest_collection("Shows", refresh=refresh)

    (after,) = stocked.assets(kind="bumper")
    assert (result.moved, result.retitled) == (1, 0)
    assert (after.id, after.title, after.approved) == (before.id, None, False)
    assert stocked.check().is_sound


def test_sidecars_move_along(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer, at("Films/Tron.mkv", TRON, sidecars=(Sidecar("/media/Films/Tron.nfo", 1, 1),)))

    stocked.ingest_collection("Shows")

    assert stocked.ingest_collection("Shows").unchanged == 3


def test_a_move_is_previewed_and_undone(stocked: Catalog, importer: FakeImporter) -> None:
    before = snapshot(stocked, journal=False)
    relocate(importer, at("Films/Tron.mkv", TRON))

    preview = stocked.ingest_collection("Shows", dry_run=True)
    real = stocked.ingest_collection("Shows")

    assert preview.paths == real.paths
    assert dict(preview.changes.counts) == dict(real.changes.counts) == {"asset": {"update": 1}}  # type: ignore[union-attr]  # it is recorded
    stocked.undo(real.unit_id or "")
    assert snapshot(stocked, journal=False) == before


def test_what_comes_back_as_another_file_is_no_longer_approved(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer)
    stocked.ingest_collection("Shows")
    relocate(importer, attrs.evolve(TRON, size=7))

    result = stocked.ingest_collection("Shows")

    assert (result.returned, result.refreshed) == (1, 1)
    assert [each.reason for each in result.withdrawals] == ["another file came back in its place"]
    assert stocked.schedulable_assets() == []


def test_what_comes_back_as_it_was_is_still_approved(stocked: Catalog, importer: FakeImporter) -> None:
    relocate(importer)
    stocked.ingest_collection("Shows")
    relocate(importer, TRON)

    stocked.ingest_collection("Shows")

    assert [asset.title for asset in stocked.schedulable_assets()] == ["Tron"]


@pytest.mark.parametrize("refresh", [None, "changed"])
def test_files_that_took_each_other_s_places_are_listed_and_not_followed(
    stocked: Catalog, importer: FakeImporter, refresh: Any
) -> None:
    """A chain: the second episode lies where the movie lay, and the movie somewhere new."""
    first, second = episode("Space: 1999", 1, 1), episode("Space: 1999", 1, 2)
    at_tron = attrs.evolve(TRON, size=second.size, mtime_ns=second.mtime_ns)
    importer.drafts = [first, at_tron, at("Films/Tron.mkv", TRON)]

    result = stocked.ingest_collection("Shows", refresh=refresh)

    assert result.moved == 0
    assert {"/media/Tron (1982).mkv", "/media/Films/Tron.mkv"} <= set(result.paths["ambiguous"])
    assert ("/media/Space: 1999/S01E02.mkv" in result.paths["ambiguous"]) == (refresh == "changed")
    assert stocked.check().is_sound


def test_a_moved_file_that_was_assigned_is_not_unclassified(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    tape = draft("tape 7.mkv")
    importer.drafts = [tape, TRON]
    catalog.ingest_collection("Shows")
    catalog.assign(AssetSelector(unclassified=True), kind="promo")
    importer.drafts = [at("promos/7.mkv", tape), TRON]

    assert catalog.ingest_collection("Shows", strict_names=True).moved == 1
