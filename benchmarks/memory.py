"""How much memory work takes at its peak, and reading how long; each in a process of its own.

python -m benchmarks.memory {drafts,ingest} COUNT
python -m benchmarks.memory WORK ROUNDS PATH FOLDER
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from loguru import logger

from benchmarks.measuring import Comparison, Goal, Sizes, Taken, timed
from benchmarks.stations import SHOWS, drafts, station
from retrovue_uow import AssetSelector, Catalog


def keep_drafts(count: int) -> None:
    """A bare list of the drafts."""
    list(drafts("/media", SHOWS, range(count)))


def ingest_drafts(count: int) -> None:
    """A whole ingest of the drafts, into a new catalogue."""
    with station(SHOWS) as new:
        new.ingest(SHOWS, range(count))


QUICK_S, MANY = 0.5, 50
WORK: Mapping[str, Callable[[int], None]] = {"drafts": keep_drafts, "ingest": ingest_drafts}
READING = (
    *("select by a title", "select by a whole path", "select by a glob", "`explain`", "`assign` of a large collection"),
    *("`check()`", "`rename_title`"),  # the last one may leave another name
)


def reading(name: str, catalog: Catalog, folder: str) -> Callable[[int], object]:
    """The work of that name on a catalogue whose files are below a folder; it is given the number of the round."""
    (asset,) = catalog.assets(limit=1)
    names = ("Show 0", "Show Zero")
    works: Mapping[str, Callable[[int], object]] = {
        "select by a title": lambda _: catalog.select(AssetSelector(title="Show 0")),
        "select by a whole path": lambda _: catalog.select(AssetSelector(path=f"{folder}/Fill 0/0/3.mkv")),
        "select by a glob": lambda _: catalog.select(AssetSelector(path="Fill 0/0/*.mkv")),
        "`explain`": lambda _: catalog.explain(asset.id),
        "`assign` of a large collection": lambda round_: catalog.assign(AssetSelector(collection="One"), title=f"New {round_}"),
        "`rename_title`": lambda round_: catalog.rename_title(names[round_ % 2], name=names[1 - round_ % 2]),
        "`check()`": lambda _: catalog.check(),
    }
    return works[name]


def peak_mb() -> float:
    """The most memory that this process has had; unlike `ru_maxrss`, without what its parent had when it started it."""
    (kilobytes,) = re.findall(r"^VmHWM:\s+([0-9]+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024 / 1e6


def measured_mb(work: str, count: int) -> float:
    """Peak of a new process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.memory", work, str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603  ourselves


def measured_reading(name: str, path: str, folder: str, rounds: int) -> tuple[list[Taken], float]:
    """What it takes in a new process, each time after the first, and the peak of that process.

    What is quick is done up to `MANY` times, for `QUICK_S` in all.
    """
    command = [sys.executable, "-m", "benchmarks.memory", name, str(rounds), path, folder]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603  ourselves
    taken, peak = json.loads(printed)
    return [Taken(*each) for each in taken], peak


def memory(sizes: Sizes) -> list[Comparison]:
    """Peak memory of an ingest, beside a list of its drafts."""
    rounds = range(min(sizes.rounds, 3))
    return [
        Comparison(
            f"peak memory, ingest of {sizes.memory:,} drafts",
            "bare list of the drafts",
            Goal("more", 300),
            [measured_mb("ingest", sizes.memory) for _ in rounds],
            [measured_mb("drafts", sizes.memory) for _ in rounds],
            unit="MB",
            note="of whole processes, each of which has imported the library",
        )
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do one piece of work and print the peak in megabytes; of reading, before it what each time took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("work", choices=[*WORK, *READING])
    parser.add_argument("count", type=int)
    parser.add_argument("path", nargs="?")
    parser.add_argument("folder", nargs="?")
    given = parser.parse_args(arguments)
    logger.disable("retrovue_uow")
    if given.work in WORK:
        WORK[given.work](given.count)
        sys.stdout.write(f"{peak_mb()}\n")
        return
    with Catalog(given.path) as catalog:
        work = reading(given.work, catalog, given.folder)
        taken: list[Taken] = []
        while len(taken) <= given.count or (sum(each.clock for each in taken) < QUICK_S and len(taken) < MANY):
            taken.append(timed(partial(work, len(taken))))
    sys.stdout.write(f"{json.dumps([taken[1:], peak_mb()])}\n")


if __name__ == "__main__":
    main()
