"""Two files whose names differ in Unicode form alone have one key: one of them is the asset, the other is named."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from pathlib import Path

import apsw
import attrs
import pytest
from commandline import Run
from harness import draft, mounted

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    Catalog,
    Collection,
    IngestError,
    IngestFilters,
    IngestResult,
)
from retrovue_uow.model import Refresh
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Später.mkv") for form in ("NFC", "NFD"))
KEY = f"/media/{COMPOSED}"


def named(name: str) -> AssetDraft:
    return draft(name, kind="bumper", size=1000, mtime_ns=5)


def make_both(folder: Path) -> None:
    """Two files that look the same, under both names."""
    for name in (COMPOSED, DECOMPOSED):
        (folder / name).touch()
        os.utime(folder / name, ns=(1, 1))
    if len(list(folder.glob("*.mkv"))) == 1:
        pytest.skip("this file system takes both names for one")


def twins(result: IngestResult) -> tuple[int, int, int]:
    assert result.discovered == result.created + result.unchanged + result.changed + result.twins + result.duplicates
    return result.created, result.twins, result.duplicates


def test_the_second_of_two_files_is_counted_apart_and_both_are_named(
    catalog: Catalog, collection: Collection, media: Path, importer: FakeImporter
) -> None:
    importer.drafts = [named(DECOMPOSED), named(COMPOSED)]

    result = catalog.ingest_collection("Shows")

    assert twins(result) == (1, 1, 0)
    (told,) = result.paths["twins"]
    assert told == f"'{media}/{DECOMPOSED}' (NFD) beside '{media}/{COMPOSED}' (NFC)"
    assert [asset.canonical_key for asset in catalog.assets()] == [KEY]


@pytest.mark.parametrize("names", [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_which_of_them_is_taken_does_not_depend_on_their_order(
    catalog: Catalog, collection: Collection, importer: FakeImporter, names: tuple[str, str]
) -> None:
    importer.drafts = list(map(named, names))

    catalog.ingest_collection("Shows")

    assert [Path(asset.file_path).name for asset in catalog.assets()] == [COMPOSED]


@pytest.mark.parametrize("names", [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
@pytest.mark.parametrize("refresh", [None, "all"])
def test_the_one_that_is_known_stays(
    catalog: Catalog, collection: Collection, importer: FakeImporter, names: tuple[str, str], refresh: None
) -> None:
    importer.drafts = [named(DECOMPOSED)]
    catalog.ingest_collection("Shows")
    importer.drafts = list(map(named, names))

    result = catalog.ingest_collection("Shows", refresh=refresh)

    assert (result.twins, result.changed, result.created) == (1, 0, 0)
    assert [Path(asset.file_path).name for asset in catalog.assets()] == [DECOMPOSED]


def test_one_file_that_is_reported_twice_is_no_twin(
    catalog: Catalog, collection: Collection, media: Path, importer: FakeImporter
) -> None:
    found = mounted(named(COMPOSED), str(media))
    importer.drafts = [found, attrs.evolve(found, source_path=f"/media/{DECOMPOSED}"), found]

    assert twins(catalog.ingest_collection("Shows")) == (1, 0, 2)


@pytest.mark.parametrize("present", [[COMPOSED], [DECOMPOSED]])
def test_a_name_that_is_not_on_the_disk_is_no_twin(
    catalog: Catalog, collection: Collection, media: Path, importer: FakeImporter, present: list[str]
) -> None:
    (media / present[0]).touch()
    importer.drafts = [draft(name, kind="bumper", size=None) for name in (COMPOSED, DECOMPOSED)]

    result = catalog.ingest_collection("Shows")

    assert (result.created, result.twins, result.unreachable) == (1, 0, 0)
    assert [Path(asset.file_path).name for asset in catalog.assets()] == present


def test_twins_on_a_disk_are_told_at_every_look(catalog: Catalog, media: Path) -> None:
    make_both(media)
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(media): str(media)})

    first, again = catalog.ingest_collection("Disk"), catalog.ingest_collection("Disk")

    assert (first.created, first.twins, first.duplicates) == (1, 1, 0)
    assert (again.unchanged, again.twins, again.duplicates) == (1, 1, 0)
    assert [Path(asset.file_path).name for asset in catalog.assets()] == [COMPOSED]


WARNING = re.compile(r"'.*' \(NFD\) beside '.*' \(NFC\) has the same name .*: rename or exclude it")


@pytest.fixture
def disk(catalog: Catalog, media: Path) -> Catalog:
    """A folder with twins, and nothing ingested yet."""
    make_both(media)
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(media): str(media)})
    return catalog


def warnings(catalog: Catalog) -> list[str]:
    """What is stored of twins."""
    other = apsw.Connection(catalog.database.path)
    rows = other.execute("SELECT severity || ' ' || message FROM finding WHERE enricher = 'twin' ORDER BY message").fetchall()
    return [str(row[0]) for row in rows]


def test_the_second_is_skipped_and_the_first_is_warned_of_it(disk: Catalog, media: Path) -> None:
    result = disk.ingest_collection("Disk")

    (asset,) = disk.assets()
    assert dict(result.skipped) == {"twin": (f"{media}/{DECOMPOSED}",)}
    assert (result.warnings, result.paths["warnings"]) == (1, (asset.canonical_key,))
    assert result.findings == {asset.canonical_key: disk.explain(asset.id).findings}
    (stored,) = warnings(disk)
    assert WARNING.search(stored)


@pytest.mark.parametrize("refresh", [None, "changed", "all"])
def test_an_asset_gets_and_loses_the_warning_without_being_read_again(
    disk: Catalog, media: Path, enricher: FakeEnricher, refresh: Refresh | None
) -> None:
    disk.attach_enricher("Disk", "fake")
    (media / DECOMPOSED).unlink()
    assert disk.ingest_collection("Disk").findings == {}
    make_both(media)
    told = []
    seen = len(enricher.seen)

    for has_twin in (True, True, False, False):
        if not has_twin:
            (media / DECOMPOSED).unlink(missing_ok=True)
        result = disk.ingest_collection("Disk", refresh=refresh)
        told.append((result.warnings, len(warnings(disk)), result.refreshed))

    refreshed = int(refresh == "all")
    assert told == [(1, 1, refreshed), (1, 1, refreshed), (0, 0, refreshed), (0, 0, refreshed)]
    assert len(enricher.seen) == seen + 4 * refreshed


def test_a_rescan_with_the_same_twins_changes_nothing(disk: Catalog) -> None:
    disk.ingest_collection("Disk")

    again = disk.ingest_collection("Disk")

    assert again.changes is not None
    assert dict(again.changes.counts) == {}


def test_each_of_several_twins_is_warned_of(disk: Catalog, media: Path) -> None:
    mixed = unicodedata.normalize("NFC", "Ä") + unicodedata.normalize("NFD", "ä.mkv")
    for name in (mixed, unicodedata.normalize("NFC", mixed), unicodedata.normalize("NFD", mixed)):
        (media / name).touch()

    result = disk.ingest_collection("Disk")

    assert (result.created, result.twins, len(result.skipped["twin"]), result.warnings) == (2, 3, 3, 2)
    assert len(warnings(disk)) == 3


def test_only_a_full_ingest_takes_the_warning_back(disk: Catalog, media: Path) -> None:
    disk.ingest_collection("Disk")
    asset = disk.assets()[0]
    disk.assign(asset.id, kind="movie", title="Später", year=1971)
    (media / DECOMPOSED).unlink()

    disk.ingest_collection("Disk", IngestFilters(title="Später"))
    disk.ingest_collection("Disk", IngestFilters(exclude=("sp*",)), allow_empty=True)
    assert len(warnings(disk)) == 1

    disk.ingest_collection("Disk")
    assert warnings(disk) == []


def test_an_ingest_of_one_folder_leaves_the_warnings_outside(disk: Catalog, media: Path) -> None:
    (media / "In").mkdir()
    make_both(media / "In")
    disk.ingest_collection("Disk")
    for folder in (media, media / "In"):
        (folder / DECOMPOSED).unlink()

    disk.ingest_collection("Disk", IngestFilters(under=media / "In"))

    (stored,) = warnings(disk)
    assert "/In/" not in stored


def test_one_of_two_folders_that_are_twins_is_not_taken_for_the_other(disk: Catalog, media: Path) -> None:
    composed, decomposed = (media / name.removesuffix(".mkv") for name in (COMPOSED, DECOMPOSED))
    for folder, name in ((composed, "Moor (1971)"), (decomposed, "Moor (1971)"), (decomposed, "Fen (1972)")):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.mkv").touch()
    disk.ingest_collection("Disk")
    before = snapshot(disk.database.path, journal=False)

    for folder in (composed, decomposed):
        with pytest.raises(IngestError, match="differ in Unicode form alone"):
            disk.ingest_collection("Disk", IngestFilters(under=folder))

    assert snapshot(disk.database.path, journal=False) == before
    shutil.rmtree(composed)
    assert disk.ingest_collection("Disk", IngestFilters(under=decomposed)).missing == 0


def test_filters_keep_the_warning_from_what_they_leave_out(disk: Catalog, media: Path) -> None:
    (media / DECOMPOSED).unlink()
    (media / "Moor (1971).mkv").touch()
    disk.ingest_collection("Disk")
    disk.assign(AssetSelector(path="*Moor*"), kind="movie", title="Moor", year=1971)
    make_both(media)

    result = disk.ingest_collection("Disk", IngestFilters(title="Moor"))

    assert (result.warnings, warnings(disk)) == (0, [])


def test_an_asset_that_went_with_its_twin_loses_the_warning(disk: Catalog, media: Path) -> None:
    disk.ingest_collection("Disk")
    for name in (COMPOSED, DECOMPOSED):
        (media / name).unlink()

    assert disk.ingest_collection("Disk", allow_empty=True).missing == 1
    assert warnings(disk) == []


def test_what_is_read_of_the_one_leaves_the_warning_of_the_other(disk: Catalog, media: Path) -> None:
    disk.ingest_collection("Disk")
    path = str(media / COMPOSED)

    disk.process_asset(AssetDraft(file_path=path, source_path=path), "Disk", refresh="all")

    assert len(warnings(disk)) == 1


def test_an_undo_takes_the_warning_back(disk: Catalog, media: Path) -> None:
    (media / DECOMPOSED).unlink()
    disk.ingest_collection("Disk")
    make_both(media)
    warned = disk.ingest_collection("Disk")
    assert len(warnings(disk)) == 1
    assert warned.unit_id is not None

    disk.undo(warned.unit_id)

    assert warnings(disk) == []


def test_twins_are_named_once_on_a_terminal(run: Run, here: Path) -> None:
    (here / "Bumpers").mkdir()
    make_both(here / "Bumpers")

    told = run("ingest", here / "Bumpers", "--no-probe")

    assert told.exit_code == 0
    assert told.stdout.count("(NFD)") == 1
    assert run("source", "ingest", "filesystem").stdout.count("(NFD)") == 1


def test_an_asset_whose_recorded_twin_went_is_read_under_the_other_name(catalog: Catalog, media: Path) -> None:
    make_both(media)
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(media): str(media)})
    first = catalog.ingest_collection("Disk")
    (recorded,) = catalog.assets()
    os.unlink(recorded.file_path)

    second = catalog.ingest_collection("Disk")

    assert (first.created, first.twins) == (1, 1)
    assert (second.refreshed, second.unchanged, second.missing) == (1, 0, 0)
    assert [asset.file_path for asset in catalog.assets()] != [recorded.file_path]


@pytest.mark.parametrize("refresh", [None, "all"])
def test_a_single_draft_does_not_take_the_place_of_its_twin(
    catalog: Catalog, collection: Collection, media: Path, refresh: Refresh | None
) -> None:
    make_both(media)
    catalog.process_asset(mounted(named(COMPOSED), str(media)), "Shows")

    with pytest.raises(AssetProcessingError, match=r"\(NFD\) differs from .* \(NFC\), which is the asset"):
        catalog.process_asset(mounted(named(DECOMPOSED), str(media)), "Shows", refresh=refresh)

    assert [Path(asset.file_path).name for asset in catalog.assets()] == [COMPOSED]
