"""The one command: every figure of the table and the plots, or some of them.

python -m benchmarks                          all of them, written into docs/
python -m benchmarks NAME … [--scale F]       some of them, printed
python -m benchmarks nesting_cost …           another report, with options of its own
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from loguru import logger

from benchmarks import fairness, nesting_cost, recording, report, semantics
from benchmarks.against_floor import ingest, opening, refresh, relocation, rescan, wipe_and_undo
from benchmarks.against_peers import peers
from benchmarks.growing import doubling, explaining, folder, growth, merging, reading
from benchmarks.locking import lock
from benchmarks.measuring import Comparison, Curve, Sizes
from benchmarks.memory import memory
from benchmarks.names import names
from benchmarks.starting import importing, listing, starting

DOCS = str(Path(__file__).parent.parent / "docs")
Benchmark = Callable[[Sizes], Sequence[Comparison | Curve]]
_ALL: Sequence[Benchmark] = (
    ingest,
    peers,
    wipe_and_undo,
    rescan,
    relocation,
    refresh,
    growth,
    folder,
    doubling,
    merging,
    explaining,
    reading,
    lock,
    memory,
    names,
    importing,
    opening,
    starting,
    listing,
)
BENCHMARKS: Mapping[str, Benchmark] = {each.__name__: each for each in _ALL}
REPORTS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "semantics": semantics.main,
    "nesting_cost": nesting_cost.main,
    "fairness": fairness.main,
    "recording": recording.main,
}
"""What is no row of the table, by name."""


def measured(chosen: Sequence[str], sizes: Sizes) -> list[Comparison | Curve]:
    """What the chosen benchmarks find, each printed as soon as it is there."""
    found: list[Comparison | Curve] = []
    for name in chosen:
        some = BENCHMARKS[name](sizes)
        sys.stdout.write(report.as_text(some) + "\n")
        sys.stdout.flush()
        found += some
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write into the documentation."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in REPORTS:
        REPORTS[given[0]](given[1:])
        return
    options = _parser().parse_args(given)
    logger.disable("retrovue_uow")
    sizes = Sizes().scaled(options.scale)
    sizes = attrs.evolve(sizes, rounds=options.rounds or sizes.rounds, starts=options.starts or sizes.starts)
    folder = options.write or (DOCS if not options.names and options.scale == 1 else None)
    started = time.monotonic()
    found = measured(options.names or list(BENCHMARKS), sizes)
    if folder is not None:
        report.write(report.report_of(found, seconds=time.monotonic() - started), folder)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:14} {(each.__doc__ or '').strip()}" for name, each in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{main.__doc__}\n\n{listed}\n\nother reports, with options of their own: {', '.join(REPORTS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; without any, all, written into docs/")
    parser.add_argument("--scale", type=float, default=1, help="so many times the published sizes, for development")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--starts", type=int, help="rounds of what starts new processes")
    parser.add_argument("--write", metavar="FOLDER", help="where a page performance.md is")
    return parser


if __name__ == "__main__":
    main()
