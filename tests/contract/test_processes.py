"""Several processes on one catalogue: they are told of each other, do not lose each other's work, and survive a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import episode
from proof.figures import Size

from retrovue_uow import (
    Catalog,
    Collection,
    ConfigurationError,
    ConflictError,
    IngestError,
    ResourceError,
    WipeError,
)
from retrovue_uow.model import JournalUnit
from retrovue_uow.testing import FakeImporter, snapshot

LONGEST_S = 30
WORKER = """
import json
import sys

import apsw
from harness import episode
from retrovue_uow.testing import FakeEnricher, FakeImporter
from retrovue_uow import Catalog, OperationError


def wait(where):
    print(where, flush=True)
    sys.stdin.readline()


class WaitingImporter(FakeImporter):
    def discover(self, *args):
        wait("discovering")
        yield from super().discover(*args)


def wait_at_first_asset(cursor, sql, bindings):
    if "INSERT INTO asset " in sql:
        catalog.database.connection.exec_trace = None
        wait("writing")
    return True


act, path, name, show = sys.argv[1:]
if act == "lock":
    connection = apsw.Connection(path)
    connection.execute("BEGIN IMMEDIATE").fetchall()
    wait("locked")
    sys.exit()
importer = (WaitingImporter if act == "discover" else FakeImporter)([episode(show, 1, 1), episode(show, 1, 2)])
with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
    if act == "write":
        catalog.database.connection.exec_trace = wait_at_first_asset
    try:
        print(json.dumps({"created": catalog.ingest_collection(name).created}), flush=True)
    except OperationError as error:
        print(json.dumps({"cause": type(error.cause).__name__}), flush=True)
"""


class Worker:
    """A process that says where it is and waits there to be told to go on. Killed if it takes far too long."""

    def __init__(self, act: str, catalog: Catalog, name: str = "Shows", show: str = "Dark") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, act, catalog.database.path, name, show],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(harness.__file__).parent)},
        )
        self._watchdog = threading.Timer(LONGEST_S, self.process.kill)
        self._watchdog.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self._watchdog.cancel()
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


Start = Callable[..., Worker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers, and ends them with the test."""
    workers: list[Worker] = []

    def started(act: str, catalog: Catalog, *arguments: str) -> Worker:
        workers.append(Worker(act, catalog, *arguments))
        return workers[-1]

    yield started
    for worker in workers:
        worker.close()


def test_an_ingest_that_another_process_is_at_is_refused_and_names_it(
    catalog: Catalog, collection: Collection, start: Start
) -> None:
    holder = start("discover", catalog)
    assert holder.line() == "discovering"
    before = snapshot(catalog)

    with pytest.raises(IngestError, match=rf"collection_ingest of process {holder.pid}") as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, ConflictError)
    assert (caught.value.cause.holder.pid, caught.value.cause.holder.operation) == (holder.pid, "collection_ingest")
    assert snapshot(catalog) == before
    holder.go_on()
    assert json.loads(holder.line()) == {"created": 2}


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (WipeError, lambda catalog: catalog.wipe_collection("Shows")),
        (ConfigurationError, lambda catalog: catalog.disable_collection("Shows")),
        (ConfigurationError, lambda catalog: catalog.detach_enricher("Shows", "fake")),
        (ConfigurationError, lambda catalog: catalog.remove_collection("Shows")),
        (IngestError, lambda catalog: catalog.prepare_ingest("Shows")),
    ],
    ids=["wipe", "disable", "detach", "remove", "prepare"],
)
def test_whatever_claims_the_collection_is_refused_while_another_process_ingests(
    catalog: Catalog, collection: Collection, start: Start, error: type[Exception], act: Callable[[Catalog], object]
) -> None:
    holder = start("discover", catalog)
    assert holder.line() == "discovering"

    with pytest.raises(error) as caught:
        act(catalog)

    assert isinstance(getattr(caught.value, "cause", None), ConflictError)


def test_the_other_process_is_told_of_this_one(catalog: Catalog, collection: Collection, start: Start) -> None:
    with catalog.prepare_ingest("Shows"):
        refused = start("ingest", catalog)

        assert json.loads(refused.line()) == {"cause": "ConflictError"}


@pytest.mark.parametrize(("act", "where"), [("discover", "discovering"), ("write", "writing")])
def test_after_kill_9_of_the_holder_the_next_run_works_at_once(
    catalog: Catalog, collection: Collection, start: Start, act: str, where: str
) -> None:
    before = snapshot(catalog)
    holder = start(act, catalog)
    assert holder.line() == where
    holder.kill()
    assert snapshot(catalog) == before

    result = catalog.ingest_collection("Shows")

    assert result.created == 4
    assert catalog.check().is_sound


def test_two_processes_on_two_collections_both_succeed(
    catalog: Catalog, collection: Collection, media: Path, start: Start
) -> None:
    catalog.add_collection("station", "More", path_mappings={"/media": str(media)})
    workers = [start("discover", catalog, "Shows", "Dark"), start("discover", catalog, "More", "Lost")]
    assert [worker.line() for worker in workers] == ["discovering", "discovering"]

    for worker in workers:
        worker.go_on()

    assert [json.loads(worker.line()) for worker in workers] == [{"created": 2}, {"created": 2}]
    assert [title.name for title in catalog.titles()] == ["Dark", "Lost"]
    assert len(snapshot(catalog)["asset"]) == 4


def test_a_run_that_waits_for_another_process_s_write_then_succeeds(
    catalog: Catalog, collection: Collection, media: Path, start: Start
) -> None:
    catalog.add_collection("station", "More", path_mappings={"/media": str(media)})
    writer = start("write", catalog, "More")
    assert writer.line() == "writing"
    threading.Timer(0.2, writer.go_on).start()

    result = catalog.ingest_collection("Shows")

    assert result.created == 4
    assert json.loads(writer.line()) == {"created": 2}


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (IngestError, lambda catalog: catalog.ingest_collection("Shows")),
        (WipeError, lambda catalog: catalog.wipe_collection("Shows")),
        (ConfigurationError, lambda catalog: catalog.add_source("late")),
    ],
    ids=["ingest", "wipe", "configure"],
)
def test_a_catalogue_locked_by_another_process_is_an_error_that_says_so_after_the_time_limit(
    catalog: Catalog,
    collection: Collection,
    importer: FakeImporter,
    start: Start,
    error: type[Exception],
    act: Callable[[Catalog], object],
) -> None:
    importer.drafts = [episode("Dark", 1, 1)]
    locker = start("lock", catalog)
    assert locker.line() == "locked"
    with Catalog(catalog.database.path, busy_timeout_ms=100, importers={"fake": importer}, enrichers=catalog.enrichers) as late:
        started = time.monotonic()

        with pytest.raises(error, match="locked by another process") as caught:
            act(late)

        assert 0.1 <= time.monotonic() - started < 3
    assert isinstance(getattr(caught.value, "cause", None), ResourceError)


def test_two_catalogues_of_one_process_exclude_each_other_too(catalog: Catalog, collection: Collection) -> None:
    with (
        catalog.prepare_ingest("Shows"),
        Catalog(catalog.database.path) as other,
        pytest.raises(WipeError) as caught,
    ):
        other.wipe_collection("Shows")

    assert isinstance(caught.value.cause, ConflictError)
    assert caught.value.cause.holder.pid == os.getpid()


WRITING = """
import sys

from retrovue_uow import Catalog

path, name, rounds = sys.argv[1:]
with Catalog(path) as catalog:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(rounds)):
        with catalog.session() as db:  # counts, so that the order of the commits can be told
            catalog.add_source(f"{name}.{number}", "filesystem")
            db.execute("UPDATE source SET config = json_object('count', config ->> 'count' + 1) WHERE name = 'counter'")
            ((count,),) = db.execute("SELECT config ->> 'count' FROM source WHERE name = 'counter'")
            if number % 3 == 2:
                db.set_rollback_only("so that not every unit comes to be")
        if number % 3 != 2:
            print(count, f"{name}.{number}", flush=True)
"""


def test_who_polls_the_history_beside_eight_writers_sees_each_unit_once_and_in_order(catalog: Catalog, size: Size) -> None:
    catalog.add_source("counter", "fake", {"count": 0})
    seen, rounds = catalog.history(), size.choose(sample=9, full=90)
    command = [sys.executable, "-c", WRITING, catalog.database.path]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers: Any = [subprocess.Popen([*command, str(number), str(rounds)], **pipes) for number in range(8)]
    watchdogs = [threading.Timer(10 * LONGEST_S, writer.kill) for writer in writers]

    def poll(limit: int | None = None) -> list[JournalUnit]:
        found = follower.history(limit, since=seen[-1].id)
        seen.extend(found)
        return found

    for watchdog in watchdogs:
        watchdog.start()
    try:
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 8
        for writer in writers:
            writer.stdin.write("\n")
            writer.stdin.flush()
        with Catalog(catalog.database.path, read_only=True) as follower:
            while any(writer.poll() is None for writer in writers):
                poll(limit=3)
                poll()
            poll()
            assert poll() == []
    finally:
        told = [line.split() for writer in writers for line in writer.communicate()[0].splitlines()]
        for watchdog in watchdogs:
            watchdog.cancel()

    committed = {int(count): name for count, name in told}
    assert [writer.returncode for writer in writers] == [0] * 8
    assert sorted(committed) == list(range(1, 8 * rounds * 2 // 3 + 1))
    assert [unit.operations[0].arguments["name"] for unit in seen[1:]] == [committed[count] for count in sorted(committed)]


WIPING = """
import sys

from harness import episode
from retrovue_uow import Catalog, OperationError
from retrovue_uow.testing import FakeEnricher, FakeImporter

drafts = [episode("Dark", 1, number) for number in range(1, 9)]
types = {"importers": {"fake": FakeImporter(drafts)}, "enrichers": {"fake": FakeEnricher()}}
with Catalog(sys.argv[1], **types) as catalog:
    print("ready", flush=True)
    while True:
        for work in (catalog.wipe_collection, catalog.ingest_collection):
            try:
                work("Shows")
            except OperationError:
                pass
"""


def test_an_ingest_that_holds_its_claim_never_fails_because_of_a_wipe_before_it(
    catalog: Catalog, collection: Collection, importer: FakeImporter, size: Size
) -> None:
    importer.drafts = [episode("Dark", 1, number) for number in range(1, 9)]
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", WIPING, catalog.database.path]
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as wiping:
        try:
            assert wiping.stdout is not None
            assert wiping.stdout.readline() == "ready\n"
            deadline = time.monotonic() + LONGEST_S
            while done < size.choose(sample=10, full=200) and time.monotonic() < deadline:
                try:
                    catalog.ingest_collection(collection.name)
                    done += 1
                except IngestError as error:
                    assert isinstance(error.cause, ConflictError)  # noqa: PT017  any other one is the failure
        finally:
            wiping.kill()

    assert done > 0
