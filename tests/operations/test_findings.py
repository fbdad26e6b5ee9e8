"""A bad file is a finding: it is written down, and keeps none of the others out."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from harness import draft, movie

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    AssetSelector,
    BrokenFileError,
    Catalog,
    Collection,
    CurationError,
    Finding,
    IngestError,
    IngestFilters,
    IngestResult,
    ResourceError,
    ValidationError,
)
from retrovue_uow.model import Broken
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

GOOD, TORN, LATE = (movie(name, 1982, duration_ms=60_000) for name in ("Good", "Torn", "Late"))


def raising(*broken: AssetDraft, error: Callable[[str], Exception] = ValidationError) -> Callable[[AssetDraft], AssetDraft]:
    """An enricher that calls some files broken."""
    keys = {each.source_path for each in broken}

    def enrich(found: AssetDraft) -> AssetDraft:
        if found.source_path in keys:
            raise error("its end is torn off")
        return found

    return enrich


def recorded(catalog: Catalog, **options: Any) -> IngestResult:
    return catalog.ingest_collection("Shows", broken="record", **options)


def states(catalog: Catalog) -> dict[str, str]:
    return {asset.canonical_key.removeprefix("/media/"): asset.state for asset in catalog.assets()}


@pytest.fixture
def torn(catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher) -> IngestResult:
    """A good file is ingested, and a broken one."""
    importer.drafts = [GOOD, TORN]
    enricher.returns = raising(TORN)
    return recorded(catalog)


def test_a_broken_file_is_recorded_and_the_others_come_in(catalog: Catalog, torn: IngestResult) -> None:
    assert (torn.created, torn.broken, torn.warnings) == (2, 1, 0)
    assert torn.paths["broken"] == (TORN.source_path,)
    (found,) = torn.findings[TORN.source_path]
    assert (found.enricher, found.severity) == ("fake", "broken")
    assert "Torn (1982).mkv" in found.message
    assert "its end is torn off" in found.message
    assert states(catalog) == {"Good (1982).mkv": "ready", "Torn (1982).mkv": "new"}
    assert catalog.check().is_sound


def test_a_broken_file_is_selected_explained_and_not_approved(catalog: Catalog, torn: IngestResult) -> None:
    (broken,) = catalog.select(AssetSelector(broken=True))
    (sound,) = catalog.select(AssetSelector(broken=False))

    explained = catalog.explain(broken.id)

    assert (broken.canonical_key, sound.canonical_key) == (TORN.source_path, GOOD.source_path)
    assert explained.findings == torn.findings[TORN.source_path]
    assert any("file is broken" in reason for reason in explained.reasons)
    with pytest.raises(CurationError, match="its file is broken"):
        catalog.approve(broken.id)


def test_of_a_broken_file_nobody_is_told_to_measure_its_length(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
) -> None:
    importer.drafts = [movie("Torn", 1982)]
    enricher.returns = raising(*importer.drafts)
    recorded(catalog)

    with pytest.raises(CurationError, match=r"Torn \(1982\)\.mkv': its file is broken"):
        catalog.approve(AssetSelector(kind="movie"))


def test_by_default_a_broken_file_is_refused_and_nothing_is_written(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
) -> None:
    importer.drafts = [GOOD, TORN]
    enricher.returns = raising(TORN)
    before = snapshot(catalog)

    with pytest.raises(IngestError, match="its end is torn off") as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, BrokenFileError)
    assert caught.value.cause.path is not None
    assert caught.value.cause.path.endswith("Torn (1982).mkv")
    assert snapshot(catalog) == before


@pytest.mark.parametrize("error", [ResourceError, RuntimeError])
def test_an_enricher_that_cannot_work_fails_the_ingest_all_the_same(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, error: type[Exception]
) -> None:
    importer.drafts = [GOOD, TORN]
    enricher.returns = raising(TORN, error=error)

    with pytest.raises(IngestError) as caught:
        recorded(catalog)

    assert isinstance(caught.value.cause, ResourceError)
    assert catalog.assets() == []


def test_another_word_than_the_two_is_refused(catalog: Catalog, collection: Collection) -> None:
    with pytest.raises(IngestError, match="'refuse' or 'record', not 'ignore'"):
        catalog.ingest_collection("Shows", broken="ignore")  # type: ignore[arg-type]  # the test's own mistake
    with pytest.raises(AssetProcessingError, match="'refuse' or 'record', not 'ignore'"):
        catalog.process_asset(GOOD, "Shows", broken="ignore")  # type: ignore[arg-type]  # likewise


class TestTheOthersGoOn:
    def test_one_late_answer_is_the_files_and_the_next_enricher_sees_it(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        slow = FakeEnricher(hang_at=1, timeout_s=0.1)
        last = FakeEnricher(returns=lambda found: attrs.evolve(found, title="Renamed"))
        catalog.enrichers = {"slow": slow, "last": last}
        catalog.detach_enricher("Shows", "fake")
        catalog.attach_enricher("Shows", "slow", priority=1)
        catalog.attach_enricher("Shows", "last", priority=2)
        importer.drafts = [LATE, GOOD]

        result = recorded(catalog)

        ((found,),) = result.findings.values()
        assert (found.enricher, found.severity) == ("slow", "broken")
        assert "no answer" in found.message
        assert sorted(last.seen) == [GOOD.source_path, LATE.source_path]
        assert [title.name for title in catalog.titles()] == ["Renamed"]

    def test_what_cannot_be_an_asset_as_it_was_read_is_one_of_kind_other(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [GOOD, draft("long.mkv", kind="movie", title="x" * 1001)]

        result = recorded(catalog)

        assert result.paths["broken"] == result.paths["unclassified"] == ("/media/long.mkv",)
        assert "1001 characters" in result.findings["/media/long.mkv"][0].message
        assert catalog.check().is_sound

    def test_a_lone_draft_is_recorded_too(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher, media: Path
    ) -> None:
        enricher.returns = raising(attrs.evolve(TORN, source_path="/media/torn.mkv"))
        (media / "torn.mkv").write_bytes(b"torn")
        lone = AssetDraft(f"{media}/torn.mkv", "/media/torn.mkv")

        with pytest.raises(AssetProcessingError, match="torn off"):
            catalog.process_asset(lone, "Shows")
        result = catalog.process_asset(lone, "Shows", broken="record")

        assert (result.asset.state, [each.severity for each in result.findings]) == ("new", ["broken"])
        assert catalog.history(limit=1)[0].operations[0].arguments["broken"] == "record"


class TestMany:
    @pytest.mark.parametrize("text", ["\x1b[2J\0\r\n" * 20_000, "x" * 100_000, "\udce4\u202e" * 50_000, " \n\t"])
    def test_whatever_is_wrong_with_a_file_is_said_in_a_line_that_a_terminal_can_take(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, text: str
    ) -> None:
        importer.drafts = [GOOD, TORN]
        enricher.returns = raising(TORN, error=lambda _: ValidationError(text))

        ((found,),) = recorded(catalog).findings.values()

        assert found.message.isprintable()
        assert "Torn (1982).mkv" in found.message
        assert len(found.message) <= 1000
        (broken,) = catalog.select(AssetSelector(broken=True))
        assert catalog.explain(broken.id).findings == (found,)

    def test_twice_as_many_broken_files_are_twice_the_work(self, tmp_path: Path, media: Path) -> None:
        once, twice = (work_on_broken_files(tmp_path / f"{count}.db", media, count) for count in (1000, 2000))

        assert {what: twice[what] / once[what] for what in once if twice[what] > 2.2 * once[what]} == {}


def work_on_broken_files(path: Path, media: Path, count: int) -> dict[str, int]:
    """What it takes to record so many broken files: calls of Python functions, statements, and steps of SQLite's machine."""
    work = {"calls": 0, "statements": 0, "steps": 0}

    def called(_: object, event: str, __: object) -> None:
        work["calls"] += event == "call"

    def stated(event: dict[str, Any]) -> None:
        work["statements"] += 1
        work["steps"] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    torn = [movie(f"Torn {number}", 1982) for number in range(count)]
    importer, enricher = FakeImporter(drafts=[GOOD, *torn]), FakeEnricher(returns=raising(*torn))
    with Catalog(path, importers={"fake": importer}, enrichers={"fake": enricher}) as catalog:
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
        catalog.attach_enricher("Shows", "fake")
        catalog.database.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, stated, id="work")
        before = sys.getprofile()
        threading.setprofile(called)
        sys.setprofile(called)
        try:
            result = recorded(catalog)
        finally:
            sys.setprofile(before)
            threading.setprofile(None)
    assert result.broken == len(result.findings) == count
    return work


class TestBlindEnrichers:
    @pytest.mark.parametrize(("count", "is_blamed"), [(9, False), (10, True)])
    def test_one_that_calls_all_of_ten_files_broken_is_named_and_nothing_written(
        self,
        catalog: Catalog,
        collection: Collection,
        importer: FakeImporter,
        enricher: FakeEnricher,
        count: int,
        is_blamed: bool,
    ) -> None:
        importer.drafts = [movie(f"Torn {number}", 1982) for number in range(count)]
        enricher.returns = raising(*importer.drafts)

        if is_blamed:
            with pytest.raises(IngestError, match="'fake' calls every one of 10 files broken") as caught:
                recorded(catalog)
            assert isinstance(caught.value.cause, ResourceError)
            assert catalog.assets() == []
        else:
            assert recorded(catalog).broken == count

    def test_one_that_is_late_with_the_first_twenty_is_waited_for_no_longer(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        importer.drafts = [movie(f"Late {number}", 1982) for number in range(500)]
        enricher.timeout_s = 0.05

        def hang(found: AssetDraft) -> AssetDraft:
            time.sleep(2)
            return found

        enricher.returns = hang
        with pytest.raises(IngestError, match="'fake' calls every one of 20 files broken"):
            recorded(catalog)

        assert len(enricher.seen) < 60


class TestReadAgain:
    def test_a_broken_file_that_changed_is_read_again_by_itself_and_its_finding_goes(
        self, catalog: Catalog, torn: IngestResult, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        enricher.returns = raising()
        enricher.seen.clear()
        importer.drafts = [attrs.evolve(GOOD, size=7), TORN]
        assert recorded(catalog, refresh=None).refreshed == 0  # neither is a broken file that is another one now
        assert enricher.seen == []

        importer.drafts = [attrs.evolve(GOOD, size=7), attrs.evolve(TORN, size=7)]
        result = recorded(catalog, refresh=None)

        assert (result.refreshed, result.broken, enricher.seen) == (1, 0, [TORN.source_path])
        assert states(catalog) == {"Good (1982).mkv": "ready", "Torn (1982).mkv": "ready"}
        assert catalog.select(AssetSelector(broken=True)) == []

    def test_a_file_that_breaks_loses_readiness_and_approval(
        self, catalog: Catalog, torn: IngestResult, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        catalog.approve(AssetSelector(broken=False))
        enricher.returns = raising(GOOD, TORN)

        result = recorded(catalog, refresh="all")

        assert states(catalog) == {"Good (1982).mkv": "new", "Torn (1982).mkv": "new"}
        assert not any(asset.approved for asset in catalog.assets())
        assert [(each.path, each.reason) for each in result.withdrawals] == [(GOOD.source_path, "its file is broken")]

    def test_what_is_reinstated_though_broken_is_new(self, catalog: Catalog, torn: IngestResult) -> None:
        (broken,) = catalog.select(AssetSelector(broken=True))
        catalog.retire(broken.id)

        catalog.reinstate(broken.id)

        assert catalog.asset(broken.id).state == "new"

    def test_an_undo_brings_findings_back_and_takes_them_away(self, catalog: Catalog, torn: IngestResult) -> None:
        before = snapshot(catalog)
        wiped = catalog.wipe_collection("Shows")
        assert wiped.deleted["finding"] == 1

        catalog.undo(str(wiped.unit_id))
        assert snapshot(catalog)["finding"] == before["finding"]
        catalog.undo(str(torn.unit_id))

        assert snapshot(catalog)["finding"] == []


class TestWarnings:
    def test_what_an_enricher_warns_of_is_a_finding_and_the_asset_is_ready(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        importer.drafts = [attrs.evolve(GOOD, warnings=("the server's clock is wrong",))]
        enricher.returns = lambda found: attrs.evolve(
            found, warnings=("a\tsentence\x1b[31m", "y" * 100_000, "a\tsentence\x1b[31m")
        )

        result = catalog.ingest_collection("Shows")

        imported, escaped, cut = result.findings[GOOD.source_path]
        assert imported == Finding("importer", "warning", "the server's clock is wrong")
        assert escaped == Finding("fake", "warning", "a sentence\\x1b[31m")
        assert (len(cut.message), cut.message[-1]) == (1000, "…")
        assert (result.warnings, result.broken) == (1, 0)
        (asset,) = catalog.assets()
        assert (asset.state, len(catalog.explain(asset.id).findings)) == ("ready", 3)

    def test_files_of_one_name_are_each_warned_of(self, catalog: Catalog, tmp_path: Path) -> None:
        names = [f"{show}/Season 1/{number} Part.mkv" for show in ("Alpha", "Beta") for number in range(1, 5)]
        for name in names:
            (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "disk" / name).write_bytes(b"media")
        catalog.add_source("disk", "filesystem")
        catalog.add_collection("disk", "Disk", path_mappings={"/disk": f"{tmp_path}/disk"})
        catalog.attach_enricher("Disk", "filename")

        result = catalog.ingest_collection("Disk")

        assert set(result.findings) == {f"/disk/{name}" for name in names}

    def test_what_the_importer_warns_of_needs_no_enricher(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        catalog.detach_enricher("Shows", "fake")
        importer.drafts = [attrs.evolve(GOOD, warnings=("the server's clock is wrong",))]

        result = catalog.ingest_collection("Shows")

        assert result.findings == {GOOD.source_path: (Finding("importer", "warning", "the server's clock is wrong"),)}

    def test_warnings_of_another_shape_are_the_enrichers_fault(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        importer.drafts = [GOOD]
        enricher.returns = lambda found: attrs.evolve(found, warnings="one")  # type: ignore[arg-type]  # an enricher's mistake

        with pytest.raises(IngestError, match="not a tuple of texts: mend the enricher"):
            recorded(catalog)


class TestSkipped:
    @pytest.fixture
    def folder(self, catalog: Catalog, tmp_path: Path) -> Path:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "Good (1982).mkv").write_bytes(b"good")
        catalog.add_source("disk", "filesystem")
        catalog.add_collection("disk", "Disk", path_mappings={str(folder): str(folder)})
        return folder

    def test_links_and_names_that_can_be_no_asset_are_listed_with_their_reason(
        self, catalog: Catalog, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere.mkv").write_bytes(b"elsewhere")
        (folder / "dangling.mkv").symlink_to(folder / "nowhere.mkv")
        (folder / "escaping.mkv").symlink_to(tmp_path / "elsewhere.mkv")
        (folder / "outside").symlink_to(tmp_path)
        odd = os.fsencode(folder) + b"/\xe4.mkv"
        Path(os.fsdecode(odd)).write_bytes(b"odd")

        result = catalog.ingest_collection("Disk", broken="record")

        assert dict(result.skipped) == {
            "link": tuple(f"{folder}/{name}" for name in ("dangling.mkv", "escaping.mkv", "outside")),
            "not_utf8": (os.fsdecode(odd),),
        }
        assert result.paths["created"] == (f"{folder}/Good (1982).mkv",)
        with pytest.raises(IngestError, match=r"dangling\.mkv' is broken"):
            catalog.ingest_collection("Disk")

    def test_a_known_file_that_can_be_no_asset_any_more_is_missing(self, catalog: Catalog, folder: Path) -> None:
        (folder / "Torn (1982).mkv").write_bytes(b"torn")
        catalog.ingest_collection("Disk")
        (folder / "Torn (1982).mkv").unlink()
        (folder / "Torn (1982).mkv").symlink_to(folder / "nowhere.mkv")

        result = catalog.ingest_collection("Disk", broken="record")

        assert result.paths["missing"] == (f"{folder}/Torn (1982).mkv",)

    @pytest.mark.parametrize("takes_all", [False, True])
    def test_a_file_that_vanishes_while_it_is_read_is_no_asset_unless_all_went(
        self, catalog: Catalog, folder: Path, enricher: FakeEnricher, takes_all: bool
    ) -> None:
        catalog.attach_enricher("Disk", "fake")
        (folder / "Torn (1982).mkv").write_bytes(b"torn")

        def read(found: AssetDraft) -> AssetDraft:
            if "Torn" in found.file_path or takes_all:
                Path(found.file_path).unlink()
                raise BrokenFileError("it is gone", path=found.file_path) from FileNotFoundError()
            return found

        enricher.returns = read
        if takes_all:
            with pytest.raises(IngestError, match="was its disk unmounted"):
                catalog.ingest_collection("Disk", broken="record")
            return
        result = catalog.ingest_collection("Disk", broken="record")

        assert dict(result.skipped) == {"vanished": (f"{folder}/Torn (1982).mkv",)}
        assert (result.created, result.broken) == (1, 0)

    def test_a_file_whose_sidecar_vanishes_while_it_is_read_is_left_for_next_time(
        self, catalog: Catalog, folder: Path, enricher: FakeEnricher
    ) -> None:
        nfo = folder / "Torn (1982).nfo"
        (folder / "Torn (1982).mkv").write_bytes(b"torn")
        catalog.ingest_collection("Disk")
        nfo.write_text("<movie><title>Torn</title></movie>")
        catalog.attach_enricher("Disk", "fake", priority=1)
        catalog.attach_enricher("Disk", "nfo", priority=2)

        def read(found: AssetDraft) -> AssetDraft:
            nfo.unlink(missing_ok=True)
            return found

        enricher.returns = read
        result = catalog.ingest_collection("Disk", broken="record")

        assert dict(result.skipped) == {"too_young": (f"{folder}/Torn (1982).mkv",)}
        assert (result.missing, result.broken) == (0, 0)

    @pytest.mark.parametrize("broken", ["refuse", "record"])
    def test_a_disk_that_goes_while_its_files_are_read_is_what_is_named(
        self, catalog: Catalog, folder: Path, enricher: FakeEnricher, broken: Broken
    ) -> None:
        for number in range(20):
            (folder / f"Torn {number} (1982).mkv").write_bytes(b"torn")
        (folder / "movie.nfo").write_text("<movie/>")
        catalog.attach_enricher("Disk", "fake", priority=1)

        def read(found: AssetDraft) -> AssetDraft:
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            raise ResourceError(f"{found.file_path!r} is nowhere")

        enricher.returns = read
        with pytest.raises(IngestError, match=f"all of '{folder}' with it: was its disk unmounted"):
            catalog.ingest_collection("Disk", broken=broken)

    def test_a_file_that_may_still_be_written_is_left_for_next_time_and_never_missing(
        self, catalog: Catalog, folder: Path, enricher: FakeEnricher
    ) -> None:
        names = ["Old (1981).mkv", "Young (1982).mkv", "Future (1983).mkv"]
        now = time.time_ns()
        for name, age_s in zip(names, (120, 1, -3600), strict=True):
            (folder / name).write_bytes(b"media")
            os.utime(folder / name, ns=(now, now - age_s * 10**9))
        os.utime(folder / "Good (1982).mkv", ns=(1, 1))

        result = catalog.ingest_collection("Disk", settle_s=60)

        assert dict(result.skipped) == {"too_young": (f"{folder}/Young (1982).mkv",)}
        assert set(result.paths["created"]) == {f"{folder}/{name}" for name in ("Good (1982).mkv", names[0], names[2])}

        (folder / "Good (1982).mkv").write_bytes(b"better")  # a known file is being written anew
        again = catalog.ingest_collection("Disk", settle_s=60, refresh="changed")

        assert set(again.skipped["too_young"]) == {f"{folder}/Good (1982).mkv", f"{folder}/Young (1982).mkv"}
        assert (again.missing, again.refreshed, again.created) == (0, 0, 0)
        assert catalog.ingest_collection("Disk", refresh="changed").refreshed == 1

    def test_an_nfo_that_is_a_link_nowhere_or_out_of_the_folder_keeps_no_file_out(
        self, catalog: Catalog, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "outside.nfo").write_text("<movie><title>Outside</title></movie>")
        links = [folder / name for name in ("Good (1982).nfo", "Tron (1982).nfo", "season.nfo", "tvshow.nfo")]
        (folder / "Tron (1982).mkv").write_bytes(b"media")
        for link in links[1:]:
            link.symlink_to("nowhere.nfo")
        links[0].symlink_to(tmp_path / "outside.nfo")
        with pytest.raises(IngestError, match="is broken: mend or exclude it"):
            catalog.ingest_collection("Disk")

        result = catalog.ingest_collection("Disk", broken="record")

        assert result.created == 2
        assert sorted(result.skipped["link"]) == sorted(map(str, links))
        assert catalog.ingest_collection("Disk", broken="record").unchanged == 2
        film = str(folder / "Tron (1982).mkv")
        with pytest.raises(AssetProcessingError, match="is broken: mend or exclude it"):
            catalog.process_asset(AssetDraft(film, film), "Disk")
        processed = catalog.process_asset(AssetDraft(film, film), "Disk", refresh="all", broken="record")
        assert [each.message for each in processed.findings] == [
            f"link {str(link)!r} is broken: mend or exclude it" for link in links[1:]
        ]

    def test_a_title_whose_files_are_all_too_young_is_not_misspelt(self, catalog: Catalog, folder: Path) -> None:
        os.utime(folder / "Good (1982).mkv")

        result = catalog.ingest_collection("Disk", IngestFilters(title="Good"), settle_s=600)

        assert (result.discovered, list(result.skipped)) == (0, ["too_young"])

    @pytest.mark.parametrize("settle_s", [-1, True, "60", math.nan, math.inf, -math.inf, 10**400])
    def test_what_is_no_number_of_seconds_is_refused(self, catalog: Catalog, folder: Path, settle_s: float) -> None:
        with pytest.raises(IngestError, match="settle_s must be a number of seconds from 0"):
            catalog.ingest_collection("Disk", settle_s=settle_s)
