"""What an ingest leaves out: what is excluded for good, what it passes over, and how the operator finds out why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrovue_uow import Catalog, Collection, IngestFilters, IngestResult
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


COUNTED = {
    "excluded": ["Extras"],
    "hidden": [".DS_Store", ".trash", "@eaDir"],
    "partial": ["Show/b.mkv.part", "a.mkv.crdownload", "c.mkv.!qB"],
    "unknown_extension": ["README", "Show/x.iso", "backup.r00"],
}
BESIDE = ["Show/tvshow.nfo", "Show/poster.JPG", "Tron (1982).srt", "Tron (1982).nfo", "theme.mp3", "Thumbs.db", "desktop.ini"]


@pytest.fixture
def left_out(videos: Catalog, disk: Path, put: Put) -> IngestResult:
    """The result of an ingest among files and folders of which each is left out for one reason."""
    put("Extras/x.mkv", ".trash/x.mkv", "@eaDir/x.mkv", ".DS_Store", "README", "Show/x.iso", "backup.r00", *BESIDE)
    put(*COUNTED["partial"])
    return videos.ingest_collection("Videos", IngestFilters(exclude=("extras",)))


class TestLeftOut:
    def test_files_and_folders_are_counted_by_reason_without_what_stands_beside_media(
        self, left_out: IngestResult, disk: Path
    ) -> None:
        assert left_out.left_out == {reason: len(each) for reason, each in COUNTED.items()}
        named = {reason: sorted(each) for reason, each in left_out.left_out_paths.items()}
        assert named == {reason: sorted(str(disk / name) for name in each) for reason, each in COUNTED.items()}
        assert left_out.skipped == {}

    def test_the_journal_keeps_the_counts_and_not_the_paths(self, videos: Catalog, left_out: IngestResult) -> None:
        result: Any = videos.history(1)[0].operations[0].result

        assert result["left_out"] == left_out.left_out
        assert "left_out_paths" not in result

    def test_a_rescan_a_dry_run_and_a_filtered_ingest_count_them_alike(self, videos: Catalog, left_out: IngestResult) -> None:
        without = dict(left_out.left_out)
        del without["excluded"]

        assert videos.ingest_collection("Videos", dry_run=True).left_out == without
        assert videos.ingest_collection("Videos", IngestFilters(title="Tron"), broken="record").left_out == without
        assert videos.ingest_collection("Videos").left_out == without

    def test_configured_extensions_make_the_others_unknown(self, videos: Catalog, put: Put, disk: Path) -> None:
        put("a.iso", "b.mp3")
        videos.add_source("images", config={"extensions": ["iso"]})
        videos.add_collection("images", "Images", path_mappings={str(disk): str(disk)})

        result = videos.ingest_collection("Images", IngestFilters(exclude=("Samples",)))

        assert (result.created, result.left_out) == (1, {"excluded": 1, "unknown_extension": 2})

    def test_what_an_importer_of_drafts_reports_and_a_pattern_matches_is_counted(
        self, catalog: Catalog, collection: Collection
    ) -> None:
        result = catalog.ingest_collection("Shows", IngestFilters(exclude=("*E02.mkv",)))

        assert result.left_out == {"excluded": 1}


def why(catalog: Catalog, path: Path | str) -> str:
    explained = catalog.explain(str(path))
    assert (explained.asset, explained.is_schedulable, explained.history) == (None, False, ())
    return "; ".join(explained.reasons)


class TestWhyNoAsset:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            (".x.mkv", "'.x.mkv' is hidden"),
            ("@eaDir/x.mkv", "'@eaDir' is hidden, or the system's own"),
            ("x.mkv.part", "'.part' is that of an unfinished download"),
            ("x.iso", "'.iso' is no media file's: if it should be, give the source `extensions`"),
            ("x.SRT", "'.SRT' is that of what stands beside media files"),
            ("new.mkv", "no ingest of collection 'Videos' has met it yet: run `retrovue-uow collection ingest Videos`"),
            ("Samples/x.mkv", "collection 'Videos' excludes 'samples'"),
            ("given.mkv", "the last ingest was told to exclude 'given*'"),
            ("Samples", "it is a folder"),
        ],
    )
    def test_its_name_or_the_operator_says(self, videos: Catalog, disk: Path, put: Put, name: str, said: str) -> None:
        videos.exclude("Videos", "samples")
        videos.ingest_collection("Videos", IngestFilters(exclude=("given*",)))
        if not (disk / name).exists():
            put(name)

        assert said in why(videos, disk / name)

    def test_all_that_keeps_it_is_said_at_once(self, videos: Catalog, disk: Path, put: Put) -> None:
        put(".x.iso")
        videos.disable_collection("Videos")

        told = why(videos, disk / ".x.iso")

        assert [word in told for word in ("hidden", "extensions", "disabled")] == [True] * 3
        assert "has met it" not in told

    @pytest.mark.parametrize(
        ("target", "said"),
        [("nowhere.mkv", "leads nowhere"), ("../outside.mkv", "leads out of"), ("Tron (1982).mkv", "has the file")],
    )
    def test_a_link_says_where_it_leads(self, videos: Catalog, disk: Path, target: str, said: str) -> None:
        (disk.parent / "outside.mkv").touch()
        videos.ingest_collection("Videos")
        (disk / "link.mkv").symlink_to(target)

        assert said in why(videos, disk / "link.mkv")

    def test_what_is_no_file_or_not_there_or_below_no_mapping(self, videos: Catalog, disk: Path, tmp_path: Path) -> None:
        os.mkfifo(disk / "pipe.mkv")
        (tmp_path / "stray film.mkv").touch()

        assert "no regular file" in why(videos, disk / "pipe.mkv")
        assert "there is no such file or folder" in why(videos, disk / "gone.mkv")
        assert f"run `retrovue-uow ingest {tmp_path}`" in why(videos, tmp_path / "stray film.mkv")
        (tmp_path / ".stray.part").touch()
        assert "is hidden, or the system's own, and never looked at; its ending '.part'" in why(
            videos, tmp_path / ".stray.part"
        )

    def test_a_path_through_a_link_to_the_mapped_folder(self, videos: Catalog, disk: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(disk)

        assert f"below '{disk}', which is mapped" in why(videos, tmp_path / "link" / "Tron (1982).mkv")

    def test_a_file_whose_disk_is_not_there(self, videos: Catalog, disk: Path) -> None:
        disk.rename(disk.parent / "elsewhere")

        assert "is its disk mounted?" in why(videos, disk / "new.mkv")

    def test_a_name_that_is_not_utf_8(self, videos: Catalog, disk: Path) -> None:
        odd = os.fsdecode(os.fsencode(disk) + b"/\xff.mkv")
        Path(odd).touch()

        assert "not UTF-8: rename it" in why(videos, odd)

    def test_a_twin_names_both(self, videos: Catalog, disk: Path, put: Put) -> None:
        composed, apart = "Am\u00e9lie (2001).mkv", "Ame\u0301lie (2001).mkv"
        put(composed, apart)
        videos.ingest_collection("Videos")

        told = why(videos, disk / apart)

        assert "in Unicode form alone" in told
        assert "(NFD) beside" in told
        assert videos.explain(str(disk / composed)).asset is not None

    def test_a_file_that_was_too_young(self, videos: Catalog, disk: Path, put: Put) -> None:
        put("young.mkv")
        videos.ingest_collection("Videos", settle_s=3600)

        assert "it had changed just before" in why(videos, disk / "young.mkv")

    def test_a_hidden_folder_above_the_mapped_one_hides_nothing(self, catalog: Catalog, tmp_path: Path) -> None:
        folder = tmp_path / ".media"
        folder.mkdir()
        (folder / "x.mkv").touch()
        catalog.add_source("disk")
        catalog.add_collection("disk", "My Videos", path_mappings={str(folder): str(folder)})

        assert why(catalog, folder / "x.mkv").endswith("run `retrovue-uow collection ingest 'My Videos'`")

    def test_another_importer_s_file_is_not_judged_by_its_ending(self, catalog: Catalog, collection: Collection) -> None:
        folder = Path(collection.path_mappings[0].local_path)
        (folder / ".x.iso").touch()

        assert why(catalog, folder / ".x.iso").startswith("no ingest of collection 'Shows' has met it yet")

    def test_a_source_s_own_extensions_count(
        self, catalog: Catalog, disk: Path, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put("x.iso", "x.mkv")
        monkeypatch.setenv("ROOT", str(disk))
        catalog.add_source("images", config={"root": "env:ROOT", "extensions": ["iso"]})
        catalog.add_collection("images", "Images", path_mappings={str(disk): str(disk)})

        assert "has met it yet" in why(catalog, disk / "x.iso")
        assert "its ending '.mkv' is no media file's" in why(catalog, disk / "x.mkv")
