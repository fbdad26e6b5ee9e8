"""Many processes and threads at work on one catalogue: nobody sees half an operation, nobody starves, nothing is lost."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
import pytest
from loguru import logger
from proof.figures import Proof, Size
from proof.workload import OPERATIONS, opened, set_up

from benchmarks.fairness import Report, Tally
from retrovue_uow import Catalog, ConflictError, OperationError, ResourceError, ValidationError

PROCESSES, THREADS = 3, 2
STARTING_S = 60
PROMISED = (ConflictError, ValidationError, ResourceError)
TORN = """
SELECT (SELECT count(*) FROM asset WHERE kind = 'episode') <> (SELECT count(DISTINCT asset_id) FROM episode_asset),
       (SELECT count(*) FROM asset WHERE kind = 'movie') <> (SELECT count(*) FROM movie_asset),
       (SELECT count(*) FROM violation),
       (SELECT count(*) FROM unit_of_work WHERE NOT EXISTS (SELECT 1 FROM operation WHERE unit_id = unit_of_work.id))
"""


@attrs.define
class Worked:
    """What one thread did: identifiers of the units that it was told of, failures by cause, reads, and what must not be."""

    units: list[str] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    reads: int = 0
    wrong: list[str] = attrs.field(factory=list)
    longest_s: float = 0


def work(path: Path, seed: int, seconds: float) -> Worked:
    """Write and read for a while."""
    chance, worked = random.Random(seed), Worked()
    with opened(path) as catalog:
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            write(catalog, chance, worked)
            worked.longest_s = max(worked.longest_s, time.monotonic() - begun)
            read(catalog, worked)
    return worked


def write(catalog: Catalog, chance: random.Random, worked: Worked) -> None:
    """One operation; what may come of it is what the contract says."""
    try:
        result = chance.choice(OPERATIONS)(catalog, chance)
        unit_id = getattr(result, "unit_id", None)
        assert isinstance(unit_id, str)
        worked.units.append(unit_id)
    except OperationError as error:
        worked.failures[f"{type(error.cause).__name__} in {type(error).__name__}"] += 1
        if not isinstance(error.cause, PROMISED):
            worked.wrong.append(repr(error))
    except Exception as error:  # noqa: BLE001  whatever it is, it is told to whoever judges
        worked.wrong.append(repr(error))


def read(catalog: Catalog, worked: Worked) -> None:
    """One look at all of it, which must be whole."""
    with catalog.database.read_only() as db:
        rows = db.execute(TORN)
        again = db.execute(TORN)
    worked.reads += 1
    if rows != again or any(rows[0]):
        worked.wrong.append(f"torn: {rows}, {again}")


def work_in_threads(path: Path, number: int, seconds: float, pipe: Connection) -> None:
    """The same in several threads of a process, each with a catalogue of its own."""
    logger.disable("retrovue_uow")
    found: list[Worked] = []
    threads = [
        threading.Thread(target=lambda seed=seed: found.append(work(path, seed, seconds)))
        for seed in range(number * THREADS, (number + 1) * THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send(found)


@pytest.mark.proof(
    "Many at once lose nothing, see nothing half done, and get their turn",
    how="processes and threads ingest, wipe, decide, undo and read on two collections of one catalogue; each read is judged by "
    "every rule",
)
def test_many_at_once_lose_nothing_and_see_nothing_half_done(tmp_path: Path, size: Size, figures: Proof) -> None:
    path, seconds = tmp_path / "catalog.db", size.choose(sample=3, full=60)
    with opened(path) as catalog:
        set_up(catalog, tmp_path / "media")

    workers = all_at_work(path, seconds)

    assert len(workers) == PROCESSES * THREADS
    assert [wrong for worked in workers for wrong in worked.wrong] == []
    with opened(path) as catalog:
        assert catalog.check().is_sound
        there = {unit.id for unit in catalog.history(limit=10**6)}
    assert {unit for worked in workers for unit in worked.units} <= there
    tallies = tuple(Tally(len(worked.units), worked.longest_s, worked.failures) for worked in workers)
    report = Report("", seconds, tallies)
    refusals: Counter[str] = Counter()
    for name, count in report.errors.items():
        refusals[name.partition(" in ")[0]] += count
    figures.add(
        {
            "processes": PROCESSES,
            "threads": PROCESSES * THREADS,
            "seconds": seconds,
            "acknowledged operations": report.units,
            "reads": sum(worked.reads for worked in workers),
            **{f"refused by {name}": count for name, count in sorted(refusals.items())},
        },
        found=f"Jain's index of fairness {report.jain:.2f}",
    )


def all_at_work(path: Path, seconds: float) -> list[Worked]:
    """Let every process work at once; what all of their threads did."""
    spawning = multiprocessing.get_context("forkserver")
    processes, receivers = [], []
    for number in range(PROCESSES):
        receiver, sender = spawning.Pipe(duplex=False)
        processes.append(spawning.Process(target=work_in_threads, args=(path, number, seconds, sender), daemon=True))
        processes[-1].start()
        sender.close()
        receivers.append(receiver)
    try:
        found = []
        for receiver in receivers:
            assert receiver.poll(seconds + STARTING_S), "a process has not come back"
            found.extend(receiver.recv())
        return found
    finally:
        for process, receiver in zip(processes, receivers, strict=True):
            process.kill()
            process.join()
            receiver.close()
