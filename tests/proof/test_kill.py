"""After kill -9 the catalogue opens at once, whole, with all that had been acknowledged, and nothing is held."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from proof.figures import Proof, Size
from proof.killed import Told, count_units, work_until_killed
from proof.workload import NAMES, fingerprint, opened, set_up

from retrovue_uow import Catalog, WipeOptions

LONGEST_S = 60


def last_told(pipe: Connection) -> tuple[Told, int]:
    """What was told last before the process was gone, and how many operations were told of."""
    told: list[Told] = []
    try:
        while True:
            told.append(pipe.recv())
    except EOFError:
        return told[-1], len(told) - 1


@pytest.mark.proof(
    "`kill -9` leaves whole operations, all that had returned, and nothing locked",
    how="a process does operations at random and tells of each; it is killed at a random moment, again and again, on one "
    "catalogue",
)
def test_after_kill_9_every_acknowledged_operation_is_there_and_nothing_is_held(
    tmp_path: Path, size: Size, figures: Proof
) -> None:
    path, seeds = tmp_path / "catalog.db", size.seeds(sample=12, full=200)
    with opened(path) as catalog:
        set_up(catalog, tmp_path / "media")
    acknowledged = in_flight = 0

    for seed in seeds:
        told, operations = kill_one(path, seed)
        acknowledged += operations
        in_flight += judge(path, told, f"kill {seed}")

    figures.add(
        {"kills": len(seeds), "acknowledged operations": acknowledged},
        found=f"{in_flight:,} operations more that were killed after their COMMIT",
    )


def kill_one(path: Path, seed: int) -> tuple[Told, int]:
    """Let a process work for a moment and kill it."""
    spawning = multiprocessing.get_context("forkserver")
    receiver, sender = spawning.Pipe(duplex=False)
    worker = spawning.Process(target=work_until_killed, args=(path, seed, sender), daemon=True)
    worker.start()
    sender.close()
    try:
        assert receiver.poll(LONGEST_S), "the process did not get to work"
        time.sleep(random.Random(seed).uniform(0, 0.2))
    finally:
        worker.kill()
        worker.join()
    assert worker.exitcode == -signal.SIGKILL, "the process failed before it was killed"
    with receiver:
        return last_told(receiver)


def judge(path: Path, told: Told, where: str) -> int:
    """Judge a catalogue after a kill; how many units it has besides those that were told of: one at most."""
    with opened(path) as catalog:
        for name in NAMES:
            catalog.wipe_collection(name, WipeOptions(dry_run=True))  # takes the claim and a turn in the queue, keeps nothing
        assert catalog.check().is_sound, where
        unknown = count_units(catalog) - told.units
        assert unknown in (0, 1), where
        undone = unknown == 1 and undo_last(catalog)
        assert fingerprint(path) == told.fingerprint, where
        if undone:
            undo_last(catalog)
        catalog.wipe_collection(NAMES[0])
        undo_last(catalog)
    return unknown


def undo_last(catalog: Catalog) -> bool:
    """Undo the last unit, unless it changed nothing: whether there was something to undo."""
    (last,) = catalog.history(limit=1)
    if last.counts:
        catalog.undo(last.id)
    return bool(last.counts)
