"""How much memory an ingest takes at its peak, beside the drafts alone; each in a process of its own.

python -m benchmarks.memory {drafts,ingest} COUNT
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loguru import logger

from benchmarks.measuring import Comparison, Goal, Sizes
from benchmarks.stations import SHOWS, drafts, station


def keep_drafts(count: int) -> None:
    """A bare list of the drafts."""
    list(drafts("/media", SHOWS, range(count)))


def ingest_drafts(count: int) -> None:
    """A whole ingest of the drafts, into a new catalogue."""
    with station(SHOWS) as new:
        new.ingest(SHOWS, range(count))


WORK: Mapping[str, Callable[[int], None]] = {"drafts": keep_drafts, "ingest": ingest_drafts}


def peak_mb() -> float:
    """The most memory that this process has had; unlike `ru_maxrss`, without what its parent had when it started it."""
    (kilobytes,) = re.findall(r"^VmHWM:\s+([0-9]+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024 / 1e6


def measured_mb(work: str, count: int) -> float:
    """Peak of a new process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.memory", work, str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603  ourselves


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
    """Do one piece of work and print the peak in megabytes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("work", choices=WORK)
    parser.add_argument("count", type=int)
    given = parser.parse_args(arguments)
    logger.disable("retrovue_uow")
    WORK[given.work](given.count)
    sys.stdout.write(f"{peak_mb()}\n")


if __name__ == "__main__":
    main()
