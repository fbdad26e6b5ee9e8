"""What the plugin brings to a foreign test suite, and that it leaves alone those that do not use it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import attrs
import pytest

from retrovue_uow import AssetDraft, Catalog, ContractError, FoundCollection, IngestError, ResourceError
from retrovue_uow.testing import FakeEnricher, FakeImporter, assert_unchanged, drafts, fake_enricher, fake_importer, snapshot

pytest_plugins = ["pytester"]


def passes(pytester: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    """A foreign suite of one file, run with every warning as an error."""
    pytester.makepyfile(text)
    result = pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider", *arguments)
    assert result.ret == 0
    return result


def test_a_foreign_suite_has_the_fixtures(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        def test_fixtures(retrovue_catalog, retrovue_media_folder, retrovue_fake_importer, retrovue_fake_enricher):
            catalog, fake_importer, fake_enricher = retrovue_catalog, retrovue_fake_importer, retrovue_fake_enricher
            folder = retrovue_media_folder()
            catalog.add_source("station", "fake")
            catalog.add_collection("station", "Shows", path_mappings={"/media": str(folder)})
            catalog.attach_enricher("Shows", "fake")
            assert catalog.ingest_collection("Shows").created == 12
            assert {asset.state for asset in catalog.assets()} == {"ready"}
            assert fake_importer(fail_at=2).fail_at == 2
            assert fake_enricher(fail_at=2).fail_at == 2
        """,
    )


def test_the_fixtures_of_a_conftest_win(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef catalog():\n    return 'their own'\n")

    passes(pytester, "def test_theirs(catalog):\n    assert catalog == 'their own'")


SHORT = """
    from retrovue_uow.testing import fake_importer as make

    def test_short(catalog, media_folder, fake_importer):
        assert fake_importer is make
    """


def test_the_short_names_of_old_warn_where_the_library_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SHORT)

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1, warnings=3)
    result.stdout.fnmatch_lines(["*fixture 'catalog' of retrovue_uow will be gone in 0.3: ask for 'retrovue_catalog', or*"])


def test_one_line_keeps_the_short_names(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nretrovue_short_names = true\n")

    passes(pytester, SHORT)


def test_a_catalog_that_nobody_defines_is_not_ours_where_the_library_is_not_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_theirs(catalog):\n    pass")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'catalog' not found: *ask for 'retrovue_catalog', or set retrovue_short_names*"])


def test_a_suite_that_does_not_use_the_plugin_is_not_disturbed(pytester: pytest.Pytester) -> None:
    result = passes(pytester, "def test_nothing():\n    pass", "-rA", "--setup-show")

    result.stdout.no_fnmatch_line("*retrovue*fixture*")
    result.stdout.no_fnmatch_line("*SETUP*")


@pytest.mark.parametrize("absent", ["terminal", "capture"])
def test_a_suite_without_a_plugin_of_pytest_s_own_is_not_disturbed(pytester: pytest.Pytester, absent: str) -> None:
    pytester.makepyfile("def test_nothing():\n    pass")

    assert pytester.runpytest_subprocess("-p", f"no:{absent}", "-p", "no:cacheprovider").ret == 0


def test_loading_the_plugin_loads_neither_hypothesis_nor_the_command_line() -> None:
    code = "import sys, retrovue_uow.testing; print(sorted({'hypothesis', 'click', 'guessit'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_pytest_shows_the_rows_that_differ(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from retrovue_uow.testing import snapshot

        def test_difference(retrovue_catalog):
            catalog = retrovue_catalog
            catalog.add_source("station", "fake")
            before = snapshot(catalog)
            with catalog.session() as db:
                db.execute("UPDATE source SET name = 'other'")
            assert snapshot(catalog) == before
        """
    )

    result = pytester.runpytest_inprocess()

    result.stdout.fnmatch_lines(["*<Snapshot of * rows> == <Snapshot of * rows>", "*~ source *: name 'station' → 'other'"])


@pytest.mark.parametrize(("arguments", "tells"), [(["-v"], True), (["-s"], True), ([], False)])
def test_a_long_proof_says_how_far_it_is_to_whom_it_may_concern(
    pytester: pytest.Pytester, arguments: list[str], tells: bool
) -> None:
    result = passes(
        pytester,
        """
        from retrovue_uow.testing import assert_atomic, atomic

        def test_proof(retrovue_catalog, monkeypatch):
            monkeypatch.setattr(atomic, "PROGRESS_S", 0)
            assert_atomic(retrovue_catalog, lambda catalog: catalog.add_source("disk"), faults=["statement"], sample=3)
        """,
        *arguments,
    )

    assert ("assert_atomic: statement fault 2 of 3, 0 failures" in result.stdout.str()) is tells


HALF_HEARTED = """
    import pytest
    from retrovue_uow.testing import assert_atomic

    @pytest.mark.parametrize("name", ["a name"])
    def test_it(retrovue_catalog, name):
        def act(catalog):
            tried.append(1)
            for each in ("one", "two"):
                catalog.add_source(each)

        tried = []
        try:
            assert_atomic(retrovue_catalog, act, faults=["statement"])
        finally:
            print(len(tried), "tries")
    """


def test_a_failure_is_told_in_ten_lines_of_which_the_last_tries_one_fault_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HALF_HEARTED)
    failed = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    message = [line for line in failed.stdout.lines if line.startswith("E  ")]

    program, *arguments = shlex.split(message[-1].partition(" again: ")[2])
    again = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    assert len(message) == 10
    assert program == "pytest"
    assert "def assert_atomic" not in failed.stdout.str()
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E *: 1 faults at * 1 failures*", f"{message[1].partition(': ')[0]}*", "3 tries"])


def test_a_fault_that_is_not_there_any_more_is_not_replayed_in_silence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HALF_HEARTED)

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--proof-replay", "statement:9999:RuntimeError")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *there is no fault 'statement:9999:RuntimeError' of the kinds statement in this action"])


def test_a_proof_in_several_processes_goes_on_below_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        import os
        from retrovue_uow.testing import assert_atomic

        def test_proof(retrovue_catalog, tmp_path):
            def act(catalog):
                (tmp_path / str(os.getpid())).touch()
                catalog.add_source("disk")

            assert assert_atomic(retrovue_catalog, act, faults=["statement", "call"], sample=6, workers="auto").faults == 6
            assert len(list(tmp_path.glob("[0-9]*"))) == (1 if os.cpu_count() == 1 else 1 + min(os.cpu_count(), 6))
        """
    )

    pytester.runpytest_subprocess("-n", "1", "-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="real media needs ffmpeg")
def test_media_files_are_real(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        def test_media(retrovue_catalog, retrovue_media_folder):
            catalog, folder = retrovue_catalog, str(retrovue_media_folder("a/Coming Soon.mkv", "b/Dark - S01E01.mp4"))
            catalog.add_source("disk")
            catalog.add_collection("disk", "Videos", path_mappings={folder: folder})
            catalog.attach_enricher("Videos", "ffprobe")
            catalog.ingest_collection("Videos")
            assert [round(asset.duration_ms, -3) for asset in catalog.assets()] == [1000, 1000]
        """,
    )


def test_media_files_are_bytes_without_ffmpeg(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    passes(
        pytester,
        "def test_it(retrovue_media_folder):\n    assert (retrovue_media_folder('a.mkv') / 'a.mkv').read_bytes() == b'a.mkv'",
    )


def test_drafts_are_a_station_s_and_the_same_each_time(catalog: Catalog) -> None:
    found = drafts(200, seed=7)

    assert found == drafts(200, seed=7) != drafts(200, seed=8)
    assert len({draft.source_path for draft in found}) == 200
    assert {"episode", "movie", "bumper", "commercial"} <= {draft.kind for draft in found}


def test_the_fixtures_of_this_suite_win(catalog: Catalog, importer: FakeImporter) -> None:
    assert catalog.importers["fake"] is importer


@pytest.fixture
def station(tmp_path: Path, media: Path) -> Iterator[Catalog]:
    importer = fake_importer(drafts(30), found=[FoundCollection("Found", "42")])
    with Catalog(tmp_path / "station.db", importers={"mine": importer}, enrichers={"mine": fake_enricher()}) as catalog:
        catalog.add_source("station", "mine")
        catalog.add_collection("station", "Shows", path_mappings={"/srv/video": str(media)})
        catalog.attach_enricher("Shows", "mine")
        yield catalog


@pytest.mark.parametrize(
    ("enricher", "message"),
    [
        (fake_enricher(fail_at=3), "fails at call 3"),
        (fake_enricher(hang_at=3, timeout_s=0.1), "no answer"),
        (fake_enricher(returns=lambda draft: None), "returned a NoneType"),
    ],
    ids=["fails", "hangs", "garbage"],
)
def test_the_fake_enricher_does_what_it_is_told(station: Catalog, enricher: FakeEnricher, message: str) -> None:
    with (
        Catalog(station.database.path, importers=station.importers, enrichers={"mine": enricher}) as other,
        assert_unchanged(other),
        pytest.raises(IngestError, match=message),
    ):
        other.ingest_collection("Shows")
    enricher.release()


@pytest.mark.parametrize(
    "importer",
    [fake_importer(drafts(3), fail_at=2), fake_importer([object()]), fake_importer(unreachable=ResourceError("asleep"))],
    ids=["fails", "garbage", "unreachable"],
)
def test_the_fake_importer_does_what_it_is_told(station: Catalog, importer: FakeImporter) -> None:
    with (
        Catalog(station.database.path, importers={"mine": importer}, enrichers=station.enrichers) as other,
        assert_unchanged(other),
        pytest.raises(IngestError),
    ):
        other.ingest_collection("Shows")


def test_a_change_is_named(station: Catalog) -> None:
    with pytest.raises(AssertionError, match=r"\+ asset"), assert_unchanged(station):
        station.ingest_collection("Shows")


def test_snapshots_are_alike_but_for_what_no_two_runs_share(station: Catalog, tmp_path: Path) -> None:
    before = snapshot(station)
    known = before.identifiers()
    runs = []
    for name in ("one.db", "two.db"):
        station.backup(f"{tmp_path}/{name}")
        with Catalog(f"{tmp_path}/{name}", importers=station.importers, enrichers=station.enrichers) as copy:
            copy.ingest_collection("Shows")
            runs.append(snapshot(copy))

    assert runs[0] != runs[1]
    assert runs[0].unlikeness(runs[1], known=known) is None
    assert runs[0].unlikeness(before, known=known) is not None


def test_a_snapshot_gives_the_rows_of_any_table_and_may_leave_the_journal_out(station: Catalog) -> None:
    other = apsw.Connection(station.database.path)
    other.execute('CREATE TABLE "it""s" (id INTEGER PRIMARY KEY); INSERT INTO "it""s" VALUES (2), (1)').fetchall()
    other.close()

    whole, own = snapshot(station), snapshot(station, journal=False)

    assert whole['it"s'] == own['it"s'] == [(1,), (2,)]
    assert set(whole.tables) - set(own.tables) == {"unit_of_work", "operation"}


def test_an_enricher_that_is_not_available_is_refused_before_anything_is_done(station: Catalog) -> None:
    enricher = fake_enricher(unavailable=ResourceError("not installed"))

    catalog = Catalog(station.database.path, importers=station.importers, enrichers={"mine": enricher})
    with catalog, assert_unchanged(catalog), pytest.raises(IngestError, match="not installed"):
        catalog.ingest_collection("Shows")

    assert enricher.seen == []


def test_a_catalogue_in_memory_has_no_snapshot() -> None:
    with Catalog(":memory:") as catalog, pytest.raises(ContractError, match="in memory"):
        snapshot(catalog)


def test_a_path_of_somebody_else_s_making_stays_as_it_is(station: Catalog) -> None:
    draft = attrs.evolve(drafts(1)[0], source_path="/elsewhere/a.mkv")
    collection = station.collection("Shows")

    from_importer = list(fake_importer([draft]).discover(collection, collection.path_mappings, None))  # type: ignore[arg-type]  # unused

    assert from_importer == [draft]
    assert isinstance(draft, AssetDraft)
