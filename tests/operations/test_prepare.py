"""What was found in files is kept beside the catalogue: an ingest that failed costs little the second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from harness import episode
from proof.figures import Size

from retrovue_uow import AssetDraft, Catalog, Collection, IngestError, ResourceError
from retrovue_uow.media.probing import FfprobeEnricher
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot


def cache_of(catalog: Catalog) -> Path:
    return Path(f"{catalog.database.path}.cache.db")


def entries(catalog: Catalog) -> int:
    """How many results the file has, as another connection sees it."""
    connection = apsw.Connection(str(cache_of(catalog)), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        ((count,),) = connection.execute("SELECT count(*) FROM entry").fetchall()
        return int(str(count))
    finally:
        connection.close()


@pytest.fixture
def enricher() -> FakeEnricher:
    """The fake enricher of the shared catalogue, whose results are kept."""
    return FakeEnricher(cached_by="file")


@pytest.fixture
def failing_once(enricher: FakeEnricher) -> Callable[[str], None]:
    """Lets the enricher fail on one file, the first time that it gets there."""
    measuring = enricher.returns

    def fail_on(name: str) -> None:
        def enriching(found: AssetDraft) -> AssetDraft:
            if name in found.file_path and enricher.seen.count(found.source_path) == 1:
                raise ResourceError("the disk was away for a moment")
            enriched: AssetDraft = measuring(found)
            return enriched

        enricher.returns = enriching

    return fail_on


@pytest.fixture
def failed(catalog: Catalog, collection: Collection, enricher: FakeEnricher, failing_once: Callable[[str], None]) -> Catalog:
    """The shared catalogue after an ingest that failed on one file of four."""
    failing_once("S01E02")
    with pytest.raises(IngestError, match="S01E02"):
        catalog.ingest_collection("Shows")
    assert len(enricher.seen) == 4
    enricher.seen.clear()
    enricher.returns = FakeEnricher().returns
    return catalog


@attrs.define
class Reopened:
    """Opens the catalogue again, as the next process does, perhaps with a changed enricher."""

    failed: Catalog
    importer: FakeImporter
    enricher: FakeEnricher

    def __call__(self, **changes: Any) -> Catalog:
        self.failed.close()
        for name, value in changes.items():
            setattr(self.enricher, name, value)
        return Catalog(self.failed.database.path, importers={"fake": self.importer}, enrichers={"fake": self.enricher})


@pytest.fixture
def reopened(failed: Catalog, importer: FakeImporter, enricher: FakeEnricher) -> Reopened:
    return Reopened(failed, importer, enricher)


class TestRealFiles:
    """Many files and ffprobe itself."""

    class Counting(FfprobeEnricher):
        probed: list[str] = []  # noqa: RUF012  shared on purpose: a new one is made for every operation

        def enrich(self, draft: AssetDraft) -> AssetDraft:
            self.probed.append(draft.file_path)
            return super().enrich(draft)

    @pytest.fixture
    def count(self, size: Size) -> int:
        return size.choose(sample=30, full=200)

    @pytest.fixture
    def videos(self, tmp_path: Path, count: int) -> Path:
        """Copies of one real file, of which the last is empty."""
        folder = tmp_path / "Videos"
        folder.mkdir()
        made = tmp_path / "made.mkv"
        picture = ("-f", "lavfi", "-i", "testsrc=size=32x32:rate=5:duration=1", "-c:v", "mpeg4")
        subprocess.run(["ffmpeg", "-v", "error", *picture, made], check=True, stdin=subprocess.DEVNULL)
        for number in range(count):
            shutil.copyfile(made, folder / f"bumper {number:03}.mkv")
            os.utime(folder / f"bumper {number:03}.mkv", ns=(number, number))
        (folder / f"bumper {count - 1:03}.mkv").write_bytes(b"")
        return folder

    def test_the_second_try_probes_the_file_that_failed_and_no_other(self, videos: Path, tmp_path: Path, count: int) -> None:
        last = videos / f"bumper {count - 1:03}.mkv"

        def station() -> Catalog:
            return Catalog(tmp_path / "catalog.db", enrichers={"ffprobe": self.Counting})

        self.Counting.probed.clear()
        with station() as catalog:
            catalog.add_source("disk")
            catalog.add_collection("disk", "Videos", path_mappings={str(videos): str(videos)})
            catalog.attach_enricher("Videos", "ffprobe")
            with pytest.raises(IngestError, match=rf"{last.name}' is empty"):
                catalog.ingest_collection("Videos")
            assert catalog.assets() == []
        assert len(self.Counting.probed) == count
        shutil.copyfile(videos / "bumper 000.mkv", last)

        self.Counting.probed.clear()
        with station() as catalog:
            result = catalog.ingest_collection("Videos")

            assert self.Counting.probed == [str(last)]
            assert result.created == count
            assert {(asset.state, asset.duration_ms, asset.width) for asset in catalog.assets()} == {("ready", 1000, 32)}
            assert catalog.check().is_sound


def test_a_changed_sidecar_is_read_and_its_file_not_probed_again(tmp_path: Path, enricher: FakeEnricher) -> None:
    folder = tmp_path / "Movies"
    folder.mkdir()
    for name in ("Tron", "Alien"):
        (folder / f"{name}.mkv").write_bytes(b"\0")
        (folder / f"{name}.nfo").write_text(f"<movie><title>{name}</title></movie>")
    with Catalog(tmp_path / "movies.db", enrichers={"fake": enricher}) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Movies", path_mappings={str(folder): str(folder)})
        for priority, name in enumerate(("filename", "nfo", "fake")):
            catalog.attach_enricher("Movies", name, priority=priority)
        catalog.ingest_collection("Movies")
        catalog.wipe_collection("Movies")
        enricher.seen.clear()
        (folder / "Alien.nfo").write_text("<movie><title>Aliens</title></movie>")

        catalog.ingest_collection("Movies")

        assert enricher.seen == []
        assert [title.name for title in catalog.titles()] == ["Aliens", "Tron"]
        assert {asset.state for asset in catalog.assets()} == {"ready"}


class TestReading:
    def test_the_next_try_asks_only_about_what_failed(self, failed: Catalog, enricher: FakeEnricher) -> None:
        assert failed.ingest_collection("Shows").created == 4

        assert [Path(path).name for path in enricher.seen] == ["S01E02.mkv"]
        assert {asset.duration_ms for asset in failed.assets()} == {60_000}

    def test_another_process_does_so_too(self, reopened: Reopened) -> None:
        with reopened() as catalog:
            assert catalog.ingest_collection("Shows").created == 4

        assert len(reopened.enricher.seen) == 1

    def test_two_open_catalogues_share_it(self, failed: Catalog, importer: FakeImporter, enricher: FakeEnricher) -> None:
        with Catalog(failed.database.path, importers={"fake": importer}, enrichers={"fake": enricher}) as other:
            other.ingest_collection("Shows", dry_run=True)
            failed.ingest_collection("Shows")

        assert len(enricher.seen) == 1

    @pytest.mark.parametrize("changes", [{"size": 1001}, {"mtime_ns": 2}], ids=lambda changes: next(iter(changes)))
    def test_a_changed_file_is_asked_about_again(
        self, failed: Catalog, importer: FakeImporter, enricher: FakeEnricher, changes: dict[str, int]
    ) -> None:
        importer.drafts = [attrs.evolve(found, **changes) for found in importer.drafts]

        failed.ingest_collection("Shows")

        assert len(enricher.seen) == 4

    @pytest.mark.parametrize(
        "changes", [{"version": "2"}, {"version": ""}, {"cached_by": None}, {"cached_by": "draft"}], ids=str
    )
    def test_a_changed_enricher_is_asked_about_everything(self, reopened: Reopened, changes: dict[str, str | None]) -> None:
        with reopened(**changes) as catalog:
            catalog.ingest_collection("Shows")

        assert len(reopened.enricher.seen) == 4

    def test_a_changed_configuration_is_asked_about_everything(self, failed: Catalog, enricher: FakeEnricher) -> None:
        failed.detach_enricher("Shows", "fake")
        failed.attach_enricher("Shows", "fake", config={"deep": True})

        failed.ingest_collection("Shows")

        assert len(enricher.seen) == 4

    def test_refreshing_all_asks_about_everything_and_keeps_the_answers(self, failed: Catalog, enricher: FakeEnricher) -> None:
        enricher.returns = lambda found: attrs.evolve(found, duration_ms=7)

        failed.ingest_collection("Shows", refresh="all")

        assert len(enricher.seen) == 4
        failed.wipe_collection("Shows")
        failed.ingest_collection("Shows")
        assert len(enricher.seen) == 4
        assert {asset.duration_ms for asset in failed.assets()} == {7}

    def test_a_prepared_ingest_after_a_wipe_asks_about_nothing(self, failed: Catalog, enricher: FakeEnricher) -> None:
        failed.ingest_collection("Shows")
        enricher.seen.clear()

        with failed.prepare_ingest("Shows", as_if_empty=True) as prepared, failed.session():
            failed.wipe_collection("Shows")
            assert failed.ingest_collection(prepared).created == 4

        assert enricher.seen == []

    def test_refreshing_what_changed_asks_about_nothing_twice(
        self, failed: Catalog, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        failed.ingest_collection("Shows")
        importer.drafts = [attrs.evolve(found, mtime_ns=2) for found in importer.drafts]
        failed.ingest_collection("Shows", refresh="changed", dry_run=True)
        enricher.seen.clear()

        assert failed.ingest_collection("Shows", refresh="changed").refreshed == 4

        assert enricher.seen == []

    def test_a_dry_run_leaves_its_answers_and_nothing_else(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        before = snapshot(catalog)
        catalog.ingest_collection("Shows", dry_run=True)
        assert snapshot(catalog) == before
        assert entries(catalog) == 4
        enricher.seen.clear()

        catalog.ingest_collection("Shows")

        assert enricher.seen == []

    def test_what_was_found_in_vain_is_not_believed_where_it_cannot_be(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.returns = lambda found: attrs.evolve(found, duration_ms=-5)
        with pytest.raises(IngestError, match="duration_ms"):
            catalog.ingest_collection("Shows")
        enricher.returns = FakeEnricher().returns

        assert catalog.ingest_collection("Shows").created == 4

    def test_one_file_by_itself_is_asked_about_once(
        self, catalog: Catalog, collection: Collection, media: Path, enricher: FakeEnricher
    ) -> None:
        path = media / "back soon.mkv"
        path.write_bytes(b"\0")
        found = AssetDraft(str(path), "/media/back soon.mkv", kind="bumper")
        catalog.process_asset(found, "Shows")
        catalog.wipe_collection("Shows")

        assert catalog.process_asset(found, "Shows").asset.duration_ms == 60_000
        assert len(enricher.seen) == 1
        catalog.process_asset(found, "Shows", refresh="all")
        assert len(enricher.seen) == 2


class TestInterruptions:
    @pytest.mark.parametrize("error", [KeyboardInterrupt("enough"), RuntimeError("enough")], ids=repr)
    def test_what_was_done_before_it_was_cancelled_is_kept(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, error: BaseException
    ) -> None:
        importer.drafts = [episode("Dark", 1, number) for number in range(1, 101)]

        def cancel(done: int, of: int | None, path: str) -> None:
            if (done, of) == (40, 100):
                raise error

        with pytest.raises((KeyboardInterrupt, IngestError)):
            catalog.ingest_collection("Shows", progress=cancel)
        assert entries(catalog) >= 40
        enricher.seen.clear()

        catalog.ingest_collection("Shows")

        assert len(enricher.seen) <= 60
        assert len(catalog.assets()) == 100

    def test_a_late_call_costs_no_answer_but_its_own(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.timeout_s = 0.2

        def late(found: AssetDraft) -> AssetDraft:
            time.sleep(0.6 if "S01E02" in found.file_path else 0)
            return attrs.evolve(found, duration_ms=1)

        enricher.returns = late
        with pytest.raises(IngestError, match="gave no answer"):
            catalog.ingest_collection("Shows")
        time.sleep(0.6)
        enricher.seen.clear()
        enricher.returns = lambda found: attrs.evolve(found, duration_ms=2)

        catalog.ingest_collection("Shows")

        assert [Path(path).name for path in enricher.seen] == ["S01E02.mkv"]
        assert sorted(asset.duration_ms or 0 for asset in catalog.assets()) == [1, 1, 1, 2]

    def test_what_was_done_before_kill_9_is_kept(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, tmp_path: Path
    ) -> None:
        script = tmp_path / "ingest.py"
        script.write_text(
            "import os, signal, sys\n"
            "from harness import episode\n"
            "from retrovue_uow.testing import FakeEnricher, FakeImporter\n"
            "from retrovue_uow import Catalog\n"
            "drafts = [episode('Dark', 1, number) for number in range(1, 21)]\n"
            "enrichers = {'fake': FakeEnricher(cached_by='file')}\n"
            "with Catalog(sys.argv[1], importers={'fake': FakeImporter(drafts)}, enrichers=enrichers) as catalog:\n"
            "    catalog.prepare_ingest('Shows')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [sys.executable, str(script), catalog.database.path]
        assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == -9
        importer.drafts = [episode("Dark", 1, number) for number in range(1, 21)]

        assert catalog.ingest_collection("Shows").created == 20

        assert enricher.seen == []


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size))


def poisoned(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE entry SET packed = x'789c03000000000001'")
    connection.close()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def unwritable(path: Path) -> None:
    path.unlink()
    path.symlink_to("/proc/nowhere/cache.db")


@pytest.mark.parametrize("spoil", [Path.unlink, garbage, damaged, poisoned, a_folder, unwritable])
def test_whatever_happened_to_the_file_the_ingest_works(reopened: Reopened, spoil: Callable[[Path], None]) -> None:
    reopened.failed.close()
    spoil(cache_of(reopened.failed))

    with reopened() as catalog:
        assert catalog.ingest_collection("Shows").created == 4
        assert catalog.check().is_sound

    assert len(reopened.enricher.seen) == 4


def test_deleted_while_the_catalogue_is_open_it_is_made_again(failed: Catalog, enricher: FakeEnricher) -> None:
    for path in cache_of(failed).parent.glob("catalog.db.cache.db*"):
        path.unlink()

    assert failed.ingest_collection("Shows").created == 4

    assert len(enricher.seen) == 4
    assert entries(failed) == 4


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE"])
def test_locked_by_somebody_else_it_holds_nobody_up(reopened: Reopened, lock: str) -> None:
    reopened.failed.close()
    other = apsw.Connection(str(cache_of(reopened.failed)))
    other.execute(lock).fetchall()
    started = time.monotonic()

    with reopened() as catalog:
        assert catalog.ingest_collection("Shows").created == 4

    assert time.monotonic() - started < 5
    other.close()


class TestOutOfTheWay:
    def test_opening_configuring_and_reading_a_catalogue_make_no_file(self, catalog: Catalog, collection: Collection) -> None:
        catalog.assets()
        catalog.check()

        assert not cache_of(catalog).exists()

    def test_enrichers_whose_results_are_not_kept_make_none(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.cached_by = None

        catalog.ingest_collection("Shows")

        assert not cache_of(catalog).exists()

    def test_a_closed_catalogue_leaves_one_file_of_it(self, failed: Catalog) -> None:
        failed.close()

        assert [path.name for path in cache_of(failed).parent.glob("catalog.db.cache*")] == ["catalog.db.cache.db"]

    def test_a_backup_has_none(self, failed: Catalog, tmp_path: Path) -> None:
        folder = tmp_path / "backup"
        folder.mkdir()

        failed.backup(folder / "catalog.db")

        assert [path.name for path in folder.iterdir()] == ["catalog.db"]

    def test_a_read_only_catalogue_works_without(self, failed: Catalog) -> None:
        failed.ingest_collection("Shows")
        failed.close()
        cache_of(failed).unlink()

        with Catalog(failed.database.path, read_only=True) as catalog:
            assert len(catalog.assets()) == 4

        assert not cache_of(failed).exists()
