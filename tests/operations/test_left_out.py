"""What an ingest leaves out: what is excluded for good, what it passes over, and how the operator finds out why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retrovue_uow import Catalog, IngestFilters
from retrovue_uow.testing import snapshot

Put = Callable[..., None]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def put(disk: Path) -> Put:
    """Files below the mapped folder."""

    def make(*names: str) -> None:
        for name in names:
            (disk / name).parent.mkdir(parents=True, exist_ok=True)
            (disk / name).write_bytes(b"media")

    return make


@pytest.fixture
def videos(catalog: Catalog, disk: Path, put: Put) -> Catalog:
    """A collection `Videos` of files on the disk, with two films and a sample, not ingested yet."""
    put("Tron (1982).mkv", "Samples/Tron.mkv", "Alien (1979).mkv")
    catalog.add_source("disk")
    catalog.add_collection("disk", "Videos", path_mappings={str(disk): str(disk)})
    catalog.attach_enricher("Videos", "filename")
    return catalog


def names(catalog: Catalog, *, missing: bool | None = None) -> set[str]:
    return {Path(asset.file_path).name for asset in catalog.assets("Videos", missing=missing)}


class TestKeptExcludes:
    def test_every_ingest_leaves_them_out_besides_those_that_it_is_given(self, videos: Catalog) -> None:
        videos.exclude("Videos", "samples")

        result = videos.ingest_collection("Videos", IngestFilters(exclude=("Alien*",)))

        assert names(videos) == {"Tron (1982).mkv"}
        assert result.collection.excludes == ("samples",)

    def test_a_prepared_ingest_and_one_of_the_source_leave_them_out_too(self, videos: Catalog) -> None:
        videos.exclude("Videos", "Samples")
        with videos.prepare_ingest("Videos") as prepared:
            videos.ingest_collection(prepared)
        videos.ingest_source("disk")

        assert names(videos) == {"Tron (1982).mkv", "Alien (1979).mkv"}

    def test_known_assets_below_one_are_never_marked_missing(self, videos: Catalog, disk: Path) -> None:
        videos.ingest_collection("Videos")
        videos.exclude("Videos", "Samples")
        (disk / "Samples/Tron.mkv").unlink()
        (disk / "Alien (1979).mkv").unlink()

        videos.ingest_collection("Videos", refresh="all")

        assert names(videos, missing=True) == {"Alien (1979).mkv"}

    def test_a_collection_of_nothing_else_is_no_silence(self, videos: Catalog) -> None:
        videos.ingest_collection("Videos")
        before = snapshot(videos, journal=False)["asset"]
        videos.exclude("Videos", "*.mkv")

        assert videos.ingest_collection("Videos").missing == 0
        assert snapshot(videos)["asset"] == before

    def test_what_is_no_longer_excluded_comes_in(self, videos: Catalog) -> None:
        videos.exclude("Videos", "Samples")
        videos.ingest_collection("Videos")

        assert videos.unexclude("Videos", "SAMPLES").excludes == ()
        assert videos.ingest_collection("Videos").created == 1

    def test_a_wipe_keeps_them_a_removal_takes_them_and_an_undo_brings_them_back(self, videos: Catalog) -> None:
        videos.ingest_collection("Videos")
        videos.exclude("Videos", "Samples")
        videos.exclude("Videos", "*/Extras/**")
        kept = videos.collection("Videos").excludes

        videos.wipe_collection("Videos")
        after_wipe = videos.collection("Videos").excludes
        videos.remove_collection("Videos")
        gone = snapshot(videos)["collection_exclude"]
        videos.undo(videos.history(1)[0].id)

        assert kept == after_wipe == videos.collection("Videos").excludes == ("*/Extras/**", "Samples")
        assert gone == []

    def test_adding_one_is_a_unit_that_can_be_undone(self, videos: Catalog) -> None:
        before = snapshot(videos, journal=False)
        videos.exclude("Videos", "Samples")
        (unit,) = videos.history(1)

        videos.undo(unit.id)

        assert unit.operations[0].arguments == {"collection": "Videos", "pattern": "Samples"}
        assert snapshot(videos, journal=False) == before
