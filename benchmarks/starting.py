"""What it costs to start: importing the library, and its command line, each time in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from benchmarks.measuring import Comparison, Goal, Sizes, by_turns
from benchmarks.stations import timed

_TIMED = "import time; started = time.perf_counter(); {}; print(time.perf_counter() - started)"


def import_seconds(statement: str) -> float:
    """Of the import alone, in a process of its own."""
    return float(_run("-c", _TIMED.format(statement)))


def importing(sizes: Sizes) -> list[Comparison]:
    """Importing the library, in a new process."""
    dependencies = partial(import_seconds, "import apsw, attrs, cattrs, loguru")
    package = by_turns(dependencies, partial(import_seconds, "import retrovue_uow"), rounds=sizes.starts)
    catalog = by_turns(dependencies, partial(import_seconds, "from retrovue_uow import Catalog"), rounds=sizes.starts)
    against = "importing its four dependencies"
    note = "the import alone, without the start of Python"
    return [
        Comparison("`import retrovue_uow`", against, Goal("slower", 1.3), *package, note=f"{note}; names load on first use"),
        Comparison("`from retrovue_uow import Catalog`", against, Goal("slower"), *catalog, note=note),
    ]


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
    """What a Python prints that may keep its bytecode, as an installed one does; the library's may not be compiled yet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout  # noqa: S603  ourselves
