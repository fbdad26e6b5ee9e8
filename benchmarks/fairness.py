"""Who waits how long for the one writer's place: many processes, small units, ours in its queue beside `BEGIN IMMEDIATE`.

python -m benchmarks fairness [--seconds N] [--processes N …] [--ingest]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import apsw
import attrs
from loguru import logger

from retrovue_uow import (
    AssetDraft,
    Catalog,
    Collection,
    Database,
    FoundCollection,
    IngestFilters,
    PathMapping,
    ResourceError,
)
from retrovue_uow.model import Json

INSERT = "INSERT INTO line (text) VALUES ('a line')"
BUSY_TIMEOUT_S = 5
DRAFTS = 5
STARTING_S = 120

Write = Callable[[], float]
"""Writes one unit and says how many seconds it waited for its turn."""


@attrs.frozen
class Tally:
    """What one process did.

    Attributes:
        units: Committed.
        longest_wait_s: From asking for a unit to being in it; for one that failed, until it did.
        errors: How often each error was raised.
    """

    units: int
    longest_wait_s: float
    errors: Counter[str]


@attrs.frozen
class Report:
    """What all processes of one case did."""

    case: str
    seconds: float
    tallies: tuple[Tally, ...]

    @property
    def units(self) -> int:
        """In all."""
        return sum(tally.units for tally in self.tallies)

    @property
    def jain(self) -> float:
        """Jain's index of fairness: 1 if all got the same, 1/n if one got everything."""
        squares = sum(tally.units**2 for tally in self.tallies)
        return self.units**2 / (len(self.tallies) * squares) if squares else 0.0

    @property
    def longest_wait_s(self) -> float:
        """Of all."""
        return max(tally.longest_wait_s for tally in self.tallies)

    @property
    def errors(self) -> Counter[str]:
        """Of all."""
        return sum((tally.errors for tally in self.tallies), Counter())


@contextmanager
def queued(folder: str, number: int) -> Iterator[Write]:
    """Small units through `Database.session`, which queue."""
    database = Database(_file(folder), busy_timeout_ms=BUSY_TIMEOUT_S * 1000)

    def write() -> float:
        asked = time.monotonic()
        with database.session():
            waited = time.monotonic() - asked
            database.execute(INSERT)
        return waited

    yield write
    database.close()


@contextmanager
def polling(folder: str, number: int) -> Iterator[Write]:
    """The same units as users write them: BEGIN IMMEDIATE with a busy time-out."""
    connection = apsw.Connection(_file(folder))
    connection.set_busy_timeout(BUSY_TIMEOUT_S * 1000)

    def write() -> float:
        asked = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        waited = time.monotonic() - asked
        connection.execute(INSERT)
        connection.execute("COMMIT")
        return waited

    yield write
    connection.close()


@contextmanager
def ingesting(folder: str, number: int) -> Iterator[Write]:
    """Small ingests, each process into a collection of its own: prepared outside any unit, then written in one."""
    catalog = Catalog(_file(folder), importers={"growing": GrowingImporter(f"/station/{number}")})

    def write() -> float:
        with catalog.prepare_ingest(f"Shows {number}") as prepared:
            asked = time.monotonic()
            with catalog.session():
                waited = time.monotonic() - asked
                catalog.ingest_collection(prepared)
        return waited

    yield write
    catalog.close()


@attrs.define
class GrowingImporter:
    """A source that has a few new files each time that somebody looks. Serves as its own factory."""

    root: str
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)

    def __call__(self, config: Json) -> GrowingImporter:
        return self

    def check(self) -> None:
        """It can always be reached."""

    def collections(self) -> Iterable[FoundCollection]:
        """None that one would have to find."""
        return ()

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterable[AssetDraft]:
        """A few files that were not there before."""
        for _ in range(DRAFTS):
            name = f"spot {next(self._numbers)}.mkv"
            yield AssetDraft(
                os.path.join(mappings[0].local_path, name),
                f"{self.root}/{name}",
                size=1000,
                mtime_ns=1,
                sidecars=(),
                kind="commercial",
            )


WRITERS: dict[str, Callable[[str, int], AbstractContextManager[Write]]] = {
    "queued": queued,
    "polling": polling,
    "ingesting": ingesting,
}


def _file(folder: str) -> str:
    return os.path.join(folder, "some.db")


def contest(writer: str, *, processes: int, seconds: float) -> Report:
    """Let so many processes write as fast as they can."""
    spawning = multiprocessing.get_context("spawn")  # an open connection must not be carried over by fork
    start = spawning.Barrier(processes, timeout=STARTING_S)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        _prepare(writer, folder, processes)
        receivers = []
        for number in range(processes):
            receiver, sender = spawning.Pipe(duplex=False)
            worker = spawning.Process(target=_work, args=(writer, folder, number, seconds, start, sender))
            worker.start()
            sender.close()  # so that a worker that died is an EOFError, not an endless wait
            stack.callback(worker.join)
            receivers.append(receiver)
        found: tuple[Tally, ...] = tuple(receiver.recv() for receiver in receivers)
    return Report(f"{processes} {writer}", seconds, found)


def _prepare(writer: str, folder: str, processes: int) -> None:
    if writer != "ingesting":
        with Database(_file(folder)) as database, database.session():
            database.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT) STRICT")
        return
    media = Path(folder, "media")
    media.mkdir()
    (media / "mounted.txt").write_text("an empty folder would count as an unplugged disk")
    with Catalog(_file(folder), importers={"growing": GrowingImporter("/station")}) as catalog:
        catalog.add_source("station", "growing")
        for number in range(processes):
            catalog.add_collection("station", f"Shows {number}", path_mappings={f"/station/{number}": str(media)})


def _work(writer: str, folder: str, number: int, seconds: float, start: Barrier, tallies: Connection) -> None:
    logger.disable("retrovue_uow")
    units, longest, errors = 0, 0.0, Counter[str]()
    with WRITERS[writer](folder, number) as write:
        start.wait()
        end = time.monotonic() + seconds
        while (asked := time.monotonic()) < end:
            try:
                longest = max(longest, write())
                units += 1
            except (apsw.Error, ResourceError) as error:
                longest = max(longest, time.monotonic() - asked)
                errors[type(error).__name__] += 1
    tallies.send(Tally(units, longest, errors))


def as_text(reports: Sequence[Report]) -> str:
    """The table."""
    lines = [f"{'case':18} {'units/s':>8} {'fewest':>7} {'most':>7} {'Jain':>6} {'longest wait':>13}  errors"]
    for report in reports:
        counts = [tally.units for tally in report.tallies]
        errors = ", ".join(f"{count} {name}" for name, count in report.errors.items()) or "none"
        lines.append(
            f"{report.case:18} {report.units / report.seconds:8.1f} {min(counts):7} {max(counts):7} "
            f"{report.jain:6.3f} {report.longest_wait_s * 1000:10.0f} ms  {errors}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how fairly many processes share one file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fairness", description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="per case")
    parser.add_argument("--processes", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--ingest", action="store_true", help="small ingests through a catalogue, too")
    options = parser.parse_args(arguments)
    writers = ["queued", "polling", *(["ingesting"] if options.ingest else [])]
    reports = [contest(writer, processes=count, seconds=options.seconds) for count in options.processes for writer in writers]
    sys.stdout.write(as_text(reports) + "\n")


if __name__ == "__main__":
    main()
