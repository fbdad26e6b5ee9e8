"""Operations with a bug in them: each is caught, by `assert_atomic` or by the catalogue itself."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from harness import episode

from retrovue_uow import AfterCommitError, AssetDraft, Catalog, OperationError, ResourceError, ValidationError
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.testing import (
    FakeEnricher,
    FakeImporter,
    assert_atomic,
    assert_unchanged,
    drafts,
    fake_enricher,
    fake_importer,
)

Action = Callable[[Catalog], object]
pytestmark = pytest.mark.proof(
    "A bug in an operation is found",
    how="operations with a bug planted in them: each is caught by `assert_atomic`, or refused by the catalogue itself",
)


@pytest.fixture
def station(tmp_path: Path, media: Path) -> Iterator[Catalog]:
    types = {"importers": {"fake": fake_importer(drafts(8))}, "enrichers": {"fake": fake_enricher()}}
    with Catalog(tmp_path / "catalog.db", **types) as catalog:  # type: ignore[arg-type]  # each has its own key
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
        catalog.attach_enricher("Shows", "fake")
        catalog.ingest_collection("Shows")
        yield catalog


def write_behind_its_back(path: str, statement: str = "UPDATE source SET name = name || '!'") -> None:
    with closing(apsw.Connection(path)) as other:
        other.set_busy_timeout(1000)
        other.execute(statement).fetchall()


def approve_all(catalog: Catalog, *, meanwhile: Action = lambda catalog: None) -> None:
    """A sound operation, that does something more before it has the lock."""
    with catalog.operation("approve_all", prepares=True) as op:
        with op.preflight():
            pass
        with op.preparation():
            meanwhile(catalog)
        with op.execution() as db:
            db.execute("UPDATE asset SET approved = 1 WHERE state = 'ready'")
        with op.postvalidation() as db:
            validate_database_consistency(db)
        op.finish(None)


def test_a_sound_operation_is_atomic(station: Catalog) -> None:
    report = assert_atomic(station, approve_all, sample=15)

    assert report.failures == ()
    assert report.unreached == 0
    assert report.faults == 78  # 15 of five kinds, and 3 claims; it calls nobody
    assert str(report).startswith(f"78 faults at {report.points['statement']} statement, ")


def test_one_that_commits_half_way_through_a_second_connection_is_caught(station: Catalog) -> None:
    def half_way(catalog: Catalog) -> None:
        approve_all(catalog, meanwhile=lambda catalog: write_behind_its_back(catalog.database.path))

    for kind in ("statement", "kill", "file"):
        with pytest.raises(AssertionError, match=r"not as a whole run leaves it.* begins ~ source"):
            assert_atomic(station, half_way, faults=[kind], sample=20)


def test_one_of_two_units_is_caught(station: Catalog) -> None:
    def in_two_units(catalog: Catalog) -> None:
        catalog.disable_collection("Shows")
        catalog.wipe_collection("Shows")

    with pytest.raises(AssertionError, match="not as a whole run leaves it"):
        assert_atomic(station, in_two_units, faults=["statement"], sample=25)


def test_one_that_swallows_an_error_after_a_partial_write_is_caught(station: Catalog) -> None:
    def swallowing(catalog: Catalog) -> None:
        with catalog.session() as db:
            db.execute("UPDATE asset SET approved = 1 WHERE state = 'ready'")
            with contextlib.suppress(Exception):
                db.execute("UPDATE source SET name = 'renamed'")

    with pytest.raises(AssertionError, match=r"UPDATE source.*ended without an error, but the catalogue is not as"):
        assert_atomic(station, swallowing, faults=["statement"])


def test_one_that_swallows_a_full_folder_for_temporary_files_is_caught(station: Catalog) -> None:
    write_behind_its_back(station.database.path, "CREATE TABLE ballast (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
    with station.session() as db:
        db.executemany("INSERT INTO ballast (text) VALUES (?)", [("-" * 1000,)] * 80)

    def swallowing(catalog: Catalog) -> None:
        with catalog.session() as db:
            db.execute("UPDATE asset SET approved = 1 WHERE state = 'ready'")
            with contextlib.suppress(ResourceError), db.session(contain=True):
                db.execute("UPDATE ballast SET text = text || '.'")

    with pytest.raises(AssertionError, match=r"of temporary file.*ended without an error, but the catalogue is not as"):
        assert_atomic(station, swallowing, faults=["file"], sample=40)


def test_one_that_swallows_all_and_does_nothing_is_caught(station: Catalog) -> None:
    def reporting_success(catalog: Catalog) -> None:
        with contextlib.suppress(Exception):
            approve_all(catalog)

    with pytest.raises(AssertionError, match="ended without an error"):
        assert_atomic(station, reporting_success, faults=["file"], sample=5)


def test_an_enricher_that_writes_through_a_connection_of_its_own_is_caught(station: Catalog, media: Path) -> None:
    path: list[str] = []

    def writing(draft: AssetDraft) -> AssetDraft:
        write_behind_its_back(path[0])
        return draft

    def ingest(catalog: Catalog) -> None:
        path[:] = [catalog.database.path]
        catalog.ingest_collection("Shows", refresh="all")

    types = {"importers": station.importers, "enrichers": {"fake": fake_enricher(returns=writing)}}
    with (
        Catalog(station.database.path, **types) as catalog,  # type: ignore[arg-type]  # each has its own key
        pytest.raises(AssertionError, match=r"not as a whole run leaves it.* begins ~ source"),
    ):
        assert_atomic(catalog, ingest, faults=["call"], sample=10)


def forgetful(name: str, *statements: str) -> Action:
    """An operation whose rule never fails."""

    def act(catalog: Catalog) -> None:
        with catalog.operation(name) as op:
            with op.preflight():
                pass
            with op.execution() as db:
                for statement in statements:
                    db.execute(statement)
            with op.postvalidation():
                pass
            op.finish(None)

    return act


ORPHANING = "INSERT INTO season (title_id, number) SELECT id, 99 FROM title LIMIT 1"
LEAVING = {
    "orphan": ([ORPHANING], "season_without_episode"),
    "wipe that forgets titles": (
        ["DELETE FROM asset", "DELETE FROM episode", "DELETE FROM season"],
        "title_without_content",
    ),
    "wipe that forgets episodes": (["DELETE FROM asset"], "episode_without_asset"),
}


@pytest.mark.parametrize(("statements", "rule"), LEAVING.values(), ids=LEAVING)
def test_an_operation_whose_rule_never_fails_is_refused_by_the_gate(station: Catalog, statements: list[str], rule: str) -> None:
    with assert_unchanged(station), pytest.raises(OperationError) as caught:
        forgetful("forgetful", *statements)(station)

    assert isinstance(caught.value.cause, ValidationError)
    assert rule in {violation.rule for violation in caught.value.cause.violations}


@pytest.mark.parametrize(("statements", "rule"), LEAVING.values(), ids=LEAVING)
def test_a_session_that_does_the_same_is_refused_by_the_gate(station: Catalog, statements: list[str], rule: str) -> None:
    with assert_unchanged(station), pytest.raises(ValidationError) as caught, station.session() as db:
        for statement in statements:
            db.execute(statement)

    assert rule in {violation.rule for violation in caught.value.violations}


def test_one_that_leaves_a_lock_is_caught(station: Catalog) -> None:
    kept: list[apsw.Connection] = []

    def locking(catalog: Catalog) -> None:
        catalog.disable_collection("Shows")
        kept.append(apsw.Connection(catalog.database.path))
        kept[-1].execute("BEGIN IMMEDIATE").fetchall()

    with pytest.raises(AssertionError, match="a lock is left"):
        assert_atomic(station, locking, faults=["file"], sample=2)
    for connection in kept:
        connection.close()


def test_one_that_leaves_a_claim_is_caught(station: Catalog) -> None:
    kept = []

    with pytest.raises(AssertionError, match=r"claim on collection .* is left"):
        assert_atomic(station, lambda catalog: kept.append(catalog.prepare_ingest("Shows")), faults=["file"], sample=40)
    assert kept


def test_one_that_takes_a_conflict_for_success_is_caught(station: Catalog) -> None:
    def wiping_what_is_free(catalog: Catalog) -> None:
        with contextlib.suppress(OperationError):
            catalog.wipe_collection("Shows")

    with pytest.raises(AssertionError, match=r"claim fault \(held\) .* ended without an error, but the catalogue is not"):
        assert_atomic(station, wiping_what_is_free, faults=["claim"])


def test_one_that_a_damaged_claim_stops_is_caught(station: Catalog) -> None:
    def careful(catalog: Catalog) -> None:
        for claim in Path(f"{catalog.database.path}.claims").glob("*.db"):
            json.loads(claim.read_bytes() or b"{}")
        catalog.wipe_collection("Shows")

    with pytest.raises(AssertionError, match="a damaged claim stands in the way"):
        assert_atomic(station, careful, faults=["claim"])


def test_one_that_makes_a_deleted_catalogue_anew_is_caught(station: Catalog) -> None:
    def stubborn(catalog: Catalog) -> None:
        try:
            catalog.disable_collection("Shows")
        except OperationError:
            with Catalog(catalog.database.path):
                raise

    with pytest.raises(AssertionError, match="a deleted catalogue is there again"):
        assert_atomic(station, stubborn, faults=["moved"])


def test_one_that_a_fork_stops_is_caught(station: Catalog) -> None:
    parent = os.getpid()
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(parent))

    def disturbed(catalog: Catalog) -> None:
        before = len(forks)
        catalog.disable_collection("Shows")
        if len(forks) > before:
            raise RuntimeError("somebody forked")

    with pytest.raises(AssertionError, match="a forked child came and went, and the action raised"):
        assert_atomic(station, disturbed, faults=["fork"], sample=2)


def test_a_catalogue_that_a_forked_child_can_open_is_caught(station: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrovue_uow.uow.connection.is_inherited", lambda path: False)

    with pytest.raises(AssertionError, match="not refused what is its parent's, but has opened the file"):
        assert_atomic(station, approve_all, faults=["fork"], sample=2)


def test_one_that_leaves_a_file_is_caught(station: Catalog) -> None:
    def littering(catalog: Catalog) -> None:
        Path(f"{catalog.database.path}.part").touch()
        approve_all(catalog)

    with pytest.raises(AssertionError, match=r"file 'catalog\.db\.part' is left"):
        assert_atomic(station, littering, faults=["statement"], sample=2)


def test_one_that_leaves_a_thread_is_caught(station: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrovue_uow.testing.atomic._THREADS_S", 0.1)
    stop = threading.Event()

    def threading_out(catalog: Catalog) -> None:
        threading.Thread(target=stop.wait, name="forgotten", daemon=True).start()
        approve_all(catalog)

    with pytest.raises(AssertionError, match="thread 'forgotten' is left"):
        assert_atomic(station, threading_out, faults=["statement"], sample=1)
    stop.set()


def test_one_that_cannot_be_repeated_is_caught(station: Catalog) -> None:
    calls: list[str] = []

    def only_once_per_file(catalog: Catalog) -> None:
        calls.append(catalog.database.path)
        if calls.count(catalog.database.path) > 1:
            raise RuntimeError("I was here before")
        approve_all(catalog)

    with pytest.raises(AssertionError, match="next run of the action fails"):
        assert_atomic(station, only_once_per_file, faults=["statement"], sample=2)


def test_one_that_is_not_the_same_each_time_is_named(station: Catalog) -> None:
    calls: list[str] = []

    def varying(catalog: Catalog) -> None:
        calls.append("")
        catalog.add_source(f"source {len(calls)}")

    with pytest.raises(AssertionError, match="not do the same each time"):
        assert_atomic(station, varying, faults=["statement"])


def test_a_hook_that_fails_after_the_commit_is_no_bug(station: Catalog) -> None:
    def with_hook(catalog: Catalog) -> None:
        with catalog.session() as db:
            db.execute("UPDATE asset SET approved = 1 WHERE state = 'ready'")
            db.on_commit(ask)

    def ask() -> None:
        asked.append(1)
        raise RuntimeError("nobody answers")

    def survived(catalog: Catalog) -> None:
        try:
            with_hook(catalog)
        except AfterCommitError:
            asked.append(2)

    asked: list[int] = []
    assert assert_atomic(station, survived, faults=["statement"], sample=40).failures == ()
    assert {1, 2} == set(asked)


def test_several_processes_find_what_one_finds(station: Catalog) -> None:
    def in_two_units(catalog: Catalog) -> None:
        seen.append(catalog.database.path)
        catalog.disable_collection("Shows")
        catalog.wipe_collection("Shows")

    def told(workers: int) -> list[str]:
        with pytest.raises(AssertionError) as caught:
            assert_atomic(station, in_two_units, faults=["statement", "moved"], sample=25, workers=workers)
        header, *lines = str(caught.value).splitlines()
        return [header.rpartition(", ")[0], *(line.partition("(")[0] + line.partition(" at point ")[2][:2] for line in lines)]

    seen: list[str] = []
    alone = told(1)
    tries = len(seen)

    assert told(2) == alone
    assert len(seen) == tries + 3  # to learn what a run does, and the points of two kinds; the faults are tried elsewhere


def test_a_fault_that_takes_its_process_along_is_named(station: Catalog) -> None:
    ours = os.getpid()

    def deadly(catalog: Catalog) -> None:
        if os.getpid() != ours:
            os._exit(3)
        approve_all(catalog)

    with pytest.raises(AssertionError, match=r"statement fault .* the process that tried it has died"):
        assert_atomic(station, deadly, faults=["statement"], sample=3, workers=2)


def test_a_factory_makes_the_catalogue(media: Path) -> None:
    def made(path: Path) -> Catalog:
        catalog = Catalog(path, importers={"fake": FakeImporter([episode("Dark", 1, 1)])}, enrichers={"fake": FakeEnricher()})
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
        catalog.attach_enricher("Shows", "fake")
        return catalog

    report = assert_atomic(made, lambda catalog: catalog.ingest_collection("Shows"), faults=["call"])

    assert report.points == {"call": 5}
    # an answer that never comes is recorded as what is wrong with the file
    recorded = assert_atomic(
        made, lambda catalog: catalog.ingest_collection("Shows", broken="record"), faults=["call"], hang_s=0.1
    )
    assert (recorded.points, recorded.faults) == (report.points, report.faults)


def test_every_draft_of_an_importer_that_offers_files_is_a_point(tmp_path: Path, media: Path) -> None:
    (media / "Dark").mkdir()
    (media / "Dark/Dark - S01E01.mkv").touch()
    with Catalog(tmp_path / "disk.db") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={"/media": str(media)})

        report = assert_atomic(catalog, lambda catalog: catalog.ingest_collection("Shows"), faults=["call"])

    assert report.points == {"call": 3}  # check, discover, and the draft


def test_the_given_catalogue_is_only_read(station: Catalog) -> None:
    with assert_unchanged(station):
        assert_atomic(station, lambda catalog: catalog.wipe_collection("Shows"), sample=1)


def test_a_kind_of_fault_that_is_not_known_is_refused(station: Catalog) -> None:
    with pytest.raises(ValueError, match="choose from"):
        assert_atomic(station, approve_all, faults=["earthquake"])
