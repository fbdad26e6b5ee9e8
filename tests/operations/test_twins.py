"""Two files whose names differ in Unicode form alone have one key: one of them is the asset, the other is named."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import attrs
import pytest
from harness import draft, mounted

from retrovue_uow import AssetDraft, AssetProcessingError, Catalog, Collection, IngestResult
from retrovue_uow.model import Refresh
from retrovue_uow.testing import FakeImporter

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


def test_an_asset_whose_recorded_twin_went_counts_as_changed(catalog: Catalog, media: Path) -> None:
    make_both(media)
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(media): str(media)})
    first = catalog.ingest_collection("Disk")
    (recorded,) = catalog.assets()
    os.unlink(recorded.file_path)

    second = catalog.ingest_collection("Disk")

    assert (first.created, first.twins) == (1, 1)
    assert (second.changed, second.unchanged, second.missing) == (1, 0, 0)


@pytest.mark.parametrize("refresh", [None, "all"])
def test_a_single_draft_does_not_take_the_place_of_its_twin(
    catalog: Catalog, collection: Collection, media: Path, refresh: Refresh | None
) -> None:
    make_both(media)
    catalog.process_asset(mounted(named(COMPOSED), str(media)), "Shows")

    with pytest.raises(AssetProcessingError, match=r"\(NFD\) differs from .* \(NFC\), which is the asset"):
        catalog.process_asset(mounted(named(DECOMPOSED), str(media)), "Shows", refresh=refresh)

    assert [Path(asset.file_path).name for asset in catalog.assets()] == [COMPOSED]
