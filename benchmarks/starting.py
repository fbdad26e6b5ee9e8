"""What it costs to start: importing the library, and its command line, each time in a new process."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.measuring import Comparison, Goal, Sizes, by_turns
from benchmarks.stations import timed

_TIMED = "import time; started = time.perf_counter(); import {}; print(time.perf_counter() - started)"


def import_seconds(modules: str) -> float:
    """Of the import alone, in a process of its own."""
    return float(_run("-c", _TIMED.format(modules)))


def importing(sizes: Sizes) -> list[Comparison]:
    """Importing the library, in a new process."""
    seconds = by_turns(
        partial(import_seconds, "apsw, attrs, cattrs, loguru"),
        partial(import_seconds, "retrovue_uow"),
        rounds=sizes.starts,
    )
    note = "the import alone, without the start of Python"
    return [Comparison("`import retrovue_uow`", "importing its four dependencies", Goal("slower", 1.3), *seconds, note=note)]


def command_line(sizes: Sizes) -> list[Comparison]:
    """From starting the command line to the end of its help."""
    seconds = by_turns(
        lambda: timed(lambda: _run("-c", "import typer, rich")),
        lambda: timed(lambda: _run("-m", "retrovue_uow", "--help")),
        rounds=sizes.starts,
    )
    against = '`python -c "import typer, rich"`'
    return [
        Comparison(
            "`retrovue-uow --help`", against, Goal("slower", 1.3), *seconds, note="whole processes, Python's own start included"
        )
    ]


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S603  ourselves
