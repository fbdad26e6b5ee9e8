"""What it costs to start: the library, what a script first does with it, and its command line, each time in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import Comparison, Goal, Sizes, Taken, by_turns, compared, timed
from retrovue_uow import Catalog

_NOTE = "whole processes, Python's own start included"


def importing(sizes: Sizes) -> list[Comparison]:
    """Importing the library, and the first read and first write of a script, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "catalog.db"))
        Catalog(path).close()
        opened = f"from retrovue_uow import Catalog\nwith Catalog({path!r}) as catalog: catalog"
        starts = {
            "`import retrovue_uow`": (Goal("slower", 1.3), "import retrovue_uow"),
            "`from retrovue_uow import Catalog`": (Goal("slower"), "from retrovue_uow import Catalog"),
            "the same, opening a catalogue, and one read": (Goal("slower", 1.5), f"{opened}.sources()"),
            "the same, opening it, and one write": (Goal("slower"), f"import time\n{opened}.add_source(str(time.time_ns()))"),
        }
        dependencies = partial(_taken_by, "import apsw, attrs, cattrs, loguru")
        return [
            compared(
                what,
                "importing its four dependencies",
                goal,
                *by_turns(dependencies, partial(_taken_by, statement), rounds=sizes.starts),
                note=_NOTE,
            )
            for what, (goal, statement) in starts.items()
        ]


def command_line(sizes: Sizes) -> list[Comparison]:
    """From starting the command line to the end of its help."""
    taken = by_turns(
        partial(_taken_by, "import typer, rich"),
        lambda: timed(lambda: _run("-m", "retrovue_uow", "--help")),
        rounds=sizes.starts,
    )
    against = '`python -c "import typer, rich"`'
    return [compared("`retrovue-uow --help`", against, Goal("slower", 1.3), *taken, note=_NOTE)]


def _taken_by(statement: str) -> Taken:
    return timed(lambda: _run("-c", statement))


def _run(*arguments: str) -> None:
    """Run a Python that may keep its bytecode, as an installed one does; the library's may not be compiled yet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=environment)  # noqa: S603  ourselves
