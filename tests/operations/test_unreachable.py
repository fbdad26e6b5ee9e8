"""A file that is not there is no asset: what an importer left out is asked of the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    Catalog,
    Collection,
    IngestError,
    IngestFilters,
    ResourceError,
    ValidationError,
)
from retrovue_uow.media import roots
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

NAMES = ("Alien", "Brazil", "Cube")


def named(name: str, **facts: Any) -> AssetDraft:
    """What a media server tells of a movie: where it is and what, but not how large."""
    return draft(f"{name}.mkv", **{"kind": "movie", "title": name, "size": None, "mtime_ns": None, **facts})


@pytest.fixture
def files(media: Path, collection: Collection, importer: FakeImporter) -> Path:
    """The folder in which all files are that the source names."""
    for number, name in enumerate(NAMES):
        (media / f"{name}.mkv").write_bytes(b"\0" * (100 + number))
    importer.drafts = [named(name) for name in NAMES]
    return media


@pytest.fixture
def stocked(catalog: Catalog, files: Path) -> Catalog:
    """A catalogue that has all three, approved."""
    catalog.ingest_collection("Shows")
    catalog.approve(catalog.assets())
    return catalog


def refused(catalog: Catalog, filters: IngestFilters = IngestFilters()) -> IngestError:  # noqa: B008  frozen
    """The error that an ingest gives, which changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(IngestError) as caught:
        catalog.ingest_collection("Shows", filters)
    assert snapshot(catalog) == before
    return caught.value


def test_size_and_mtime_that_an_importer_left_out_are_asked_of_the_disk(catalog: Catalog, files: Path) -> None:
    catalog.ingest_collection("Shows")

    found = [(asset.size, asset.mtime_ns) for asset in catalog.assets()]
    assert found == [(100 + number, os.stat(files / f"{name}.mkv").st_mtime_ns) for number, name in enumerate(NAMES)]


def test_what_an_importer_tells_is_believed(catalog: Catalog, files: Path, importer: FakeImporter) -> None:
    importer.drafts = [named("Alien", size=7), named("Brazil", mtime_ns=8), named("Elsewhere", size=1, mtime_ns=2)]

    result = catalog.ingest_collection("Shows")

    assert (result.created, result.unreachable) == (3, 0)
    assert [(asset.size, asset.mtime_ns) for asset in catalog.assets()] == [
        (7, os.stat(files / "Alien.mkv").st_mtime_ns),
        (101, 8),
        (1, 2),
    ]


@pytest.mark.parametrize("gone", ["Ghost.mkv", "Alien.mkv/Ghost.mkv"])
def test_a_new_file_that_is_not_there_becomes_no_asset(
    catalog: Catalog, files: Path, importer: FakeImporter, enricher: FakeEnricher, gone: str
) -> None:
    importer.drafts = [named("Alien"), draft(gone, size=None, kind="movie", title="Ghost")]

    result = catalog.ingest_collection("Shows")

    assert (result.created, result.unreachable, result.discovered) == (1, 1, 2)
    assert result.paths["unreachable"] == (f"/media/{gone}",)
    assert [asset.title for asset in catalog.assets()] == ["Alien"]
    assert enricher.seen == ["/media/Alien.mkv"]
    assert catalog.check().is_sound


def test_a_known_file_that_went_is_missing_though_the_source_still_names_it(stocked: Catalog, files: Path) -> None:
    (files / "Brazil.mkv").unlink()

    result = stocked.ingest_collection("Shows")

    assert (result.missing, result.unreachable, result.unchanged) == (1, 1, 2)
    assert [asset.title for asset in stocked.schedulable_assets()] == ["Alien", "Cube"]
    again = stocked.ingest_collection("Shows")
    assert (again.missing, again.unreachable) == (0, 1)


def test_a_file_that_came_back_is_no_longer_missing(stocked: Catalog, files: Path) -> None:
    facts = os.stat(files / "Brazil.mkv")
    (files / "Brazil.mkv").rename(files / "aside")
    stocked.ingest_collection("Shows")
    (files / "aside").rename(files / "Brazil.mkv")
    os.utime(files / "Brazil.mkv", ns=(facts.st_atime_ns, facts.st_mtime_ns))

    assert stocked.ingest_collection("Shows").returned == 1
    assert len(stocked.schedulable_assets()) == 3


def test_a_file_that_grew_counts_as_changed(stocked: Catalog, files: Path) -> None:
    (files / "Brazil.mkv").write_bytes(b"\0" * 500)

    assert stocked.ingest_collection("Shows", refresh=None).changed == 1
    assert stocked.ingest_collection("Shows").refreshed == 1
    assert [asset.size for asset in stocked.assets()] == [100, 500, 102]


def test_a_file_that_moved_is_followed_though_the_source_names_both_places(
    stocked: Catalog, files: Path, importer: FakeImporter
) -> None:
    (files / "Brazil.mkv").rename(files / "Brazil (1985).mkv")
    importer.drafts = [*map(named, NAMES), named("Brazil (1985)", title="Brazil")]

    result = stocked.ingest_collection("Shows")

    assert (result.moved, result.missing, result.unreachable) == (1, 0, 1)
    assert len(stocked.schedulable_assets()) == 3


def test_a_filtered_ingest_marks_what_it_met_and_could_not_reach(stocked: Catalog, files: Path) -> None:
    (files / "Brazil.mkv").unlink()
    (files / "Cube.mkv").unlink()

    result = stocked.ingest_collection("Shows", IngestFilters(title="Brazil"))

    assert (result.missing, result.unreachable, result.discovered) == (1, 1, 1)
    assert [asset.title for asset in stocked.assets(missing=True)] == ["Brazil"]


def test_a_filtered_ingest_tells_of_new_files_that_it_could_not_reach(
    stocked: Catalog, files: Path, importer: FakeImporter
) -> None:
    importer.drafts = [*map(named, NAMES), named("Ghost"), named("Spirit")]

    result = stocked.ingest_collection("Shows", IngestFilters(title="Ghost"))

    assert (result.created, result.missing, result.paths["unreachable"]) == (0, 0, ("/media/Ghost.mkv",))


@pytest.mark.parametrize("filters", [IngestFilters(), IngestFilters(title="Brazil")])
@pytest.mark.parametrize("stock", [True, False])
def test_a_mapping_below_which_nothing_is_there_is_refused(
    catalog: Catalog, files: Path, filters: IngestFilters, stock: bool
) -> None:
    if stock:
        catalog.ingest_collection("Shows")
    for name in NAMES:
        (files / f"{name}.mkv").unlink()

    error = refused(catalog, filters)

    assert isinstance(error.cause, ResourceError)
    assert all(told in str(error) for told in (repr(str(files)), "'/media'", "3 files", "--allow-empty"))


def test_each_mapping_is_judged_by_itself(stocked: Catalog, files: Path, tmp_path: Path, importer: FakeImporter) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "mounted.txt").touch()
    stocked.map_path("Shows", "/more", str(more))
    elsewhere = AssetDraft(str(more / "Dark.mkv"), "/more/Dark.mkv", sidecars=(), kind="movie", title="Dark")
    importer.drafts = [*map(named, NAMES), elsewhere]

    error = refused(stocked)

    assert all(told in str(error) for told in (repr(str(more)), "'/more'"))
    (more / "Dark.mkv").touch()
    assert stocked.ingest_collection("Shows").created == 1


def test_allow_empty_believes_that_all_of_them_went(stocked: Catalog, files: Path) -> None:
    for name in NAMES:
        (files / f"{name}.mkv").unlink()

    result = stocked.ingest_collection("Shows", allow_empty=True)

    assert (result.missing, result.unreachable) == (3, 3)


def test_a_disk_that_went_while_its_files_were_looked_for_is_no_proof(
    stocked: Catalog, files: Path, importer: FakeImporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first half was there; then the folder is as bare as a mount point."""
    (files / "Brazil.mkv").unlink()
    empty = files.parent / "mount point"
    empty.mkdir()
    judged = roots.root_status
    calls = []

    def bare_from_the_second_look_on(path: str, **options: Any) -> roots.RootStatus:
        calls.append(path)
        return judged(path if len(calls) == 1 else str(empty), **options)

    monkeypatch.setattr(roots, "root_status", bare_from_the_second_look_on)

    assert "unmounted" in str(refused(stocked))


def test_an_excluded_file_need_not_be_there(stocked: Catalog, files: Path) -> None:
    (files / "Brazil.mkv").unlink()

    result = stocked.ingest_collection("Shows", IngestFilters(exclude=("Brazil*",)))

    assert (result.missing, result.unreachable, result.unchanged) == (0, 0, 2)


def test_a_path_that_was_named_twice_and_is_not_there_is_listed_once(
    stocked: Catalog, files: Path, importer: FakeImporter
) -> None:
    importer.drafts = [*map(named, NAMES), named("Ghost"), named("Ghost")]

    result = stocked.ingest_collection("Shows")

    assert (result.unreachable, result.discovered) == (1, 4)


def test_a_file_that_cannot_be_examined_is_not_taken_for_absent(stocked: Catalog, files: Path, importer: FakeImporter) -> None:
    (files / "Loop.mkv").symlink_to(files / "Loop.mkv")
    importer.drafts = [*map(named, NAMES), named("Loop")]

    error = refused(stocked)

    assert isinstance(error.cause, ResourceError)
    assert "Loop.mkv" in str(error)


@pytest.fixture
def unmeasured(stocked: Catalog) -> Catalog:
    """A catalogue whose importer used to tell neither size nor mtime."""
    with stocked.session() as db:
        db.execute("UPDATE asset SET size = NULL, mtime_ns = NULL")
        db.execute("UPDATE approval SET size = NULL, mtime_ns = NULL")
    return stocked


@pytest.mark.parametrize("refresh", [None, "files", "changed"])
def test_a_fact_that_was_not_known_is_filled_in_and_is_no_change(
    unmeasured: Catalog, files: Path, enricher: FakeEnricher, refresh: Any
) -> None:
    enricher.seen.clear()

    result = unmeasured.ingest_collection("Shows", refresh=refresh)

    assert (result.unchanged, result.changed, result.refreshed) == (3, 0, 0)
    assert enricher.seen == []
    assert [asset.size for asset in unmeasured.schedulable_assets()] == [100, 101, 102]
    assert all(asset.mtime_ns for asset in unmeasured.assets())
    before = snapshot(unmeasured, journal=False)
    assert unmeasured.ingest_collection("Shows").unchanged == 3
    assert snapshot(unmeasured, journal=False) == before


def test_a_refresh_of_all_withdraws_nothing_for_a_fact_that_was_not_known(unmeasured: Catalog) -> None:
    assert unmeasured.ingest_collection("Shows", refresh="all").refreshed == 3
    assert [asset.size for asset in unmeasured.schedulable_assets()] == [100, 101, 102]


def test_a_missing_asset_of_unknown_facts_comes_back_approved(unmeasured: Catalog) -> None:
    with unmeasured.session() as db:
        db.execute("UPDATE asset SET missing_since = '2026-01-01T00:00:00.000000Z'")

    assert unmeasured.ingest_collection("Shows").returned == 3
    assert [asset.size for asset in unmeasured.schedulable_assets()] == [100, 101, 102]


def test_processing_fills_in_what_was_not_known(unmeasured: Catalog, files: Path) -> None:
    found = attrs.evolve(named("Alien"), file_path=str(files / "Alien.mkv"))

    result = unmeasured.process_asset(found, "Shows")

    assert (result.outcome, result.asset.size, result.asset.approved) == ("unchanged", 100, True)


def test_a_dry_run_fills_in_nothing(unmeasured: Catalog) -> None:
    before = snapshot(unmeasured)

    assert unmeasured.ingest_collection("Shows", dry_run=True).unchanged == 3
    assert snapshot(unmeasured) == before


@pytest.mark.parametrize("facts", [{}, {"size": 5, "mtime_ns": 5}])
def test_processing_a_file_that_is_not_there_is_refused_as_wrong(catalog: Catalog, files: Path, facts: Any) -> None:
    before = snapshot(catalog)

    with pytest.raises(AssetProcessingError, match="is not there") as caught:
        catalog.process_asset(attrs.evolve(named("Ghost", **facts), file_path=str(files / "Ghost.mkv")), "Shows")

    assert isinstance(caught.value.cause, ValidationError)
    assert snapshot(catalog) == before


def test_an_mtime_that_no_catalogue_can_keep_says_what_it_is(stocked: Catalog, files: Path) -> None:
    late = files / "Brazil.mkv"
    os.utime(late, ns=(13 * 10**18,) * 2)
    if late.stat().st_mtime_ns != 13 * 10**18:
        pytest.skip("this file system keeps no such time")

    error = refused(stocked)

    assert str(error.cause) == (
        "draft '/media/Brazil.mkv': its mtime lies after the year 2262, which the catalogue cannot keep: "
        "`touch` or exclude the file"
    )
    with pytest.raises(AssetProcessingError, match="after the year 2262"):
        stocked.process_asset(attrs.evolve(named("Brazil"), file_path=str(late)), "Shows")
    assert stocked.ingest_collection("Shows", IngestFilters(exclude=("Brazil*",))).unchanged == 2


def test_an_mtime_before_the_epoch_is_kept(catalog: Catalog, files: Path) -> None:
    os.utime(files / "Brazil.mkv", ns=(-5 * 10**9,) * 2)

    catalog.ingest_collection("Shows")

    assert catalog.assets(title="Brazil")[0].mtime_ns == -5 * 10**9
