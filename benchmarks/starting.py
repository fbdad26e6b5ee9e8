"""What it costs to start: the library, what a script first does with it, and its command line, each time in a new process."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from benchmarks.measuring import Comparison, Goal, Sizes, Taken, by_turns, compared, timed
from benchmarks.stations import template
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


def starting(sizes: Sizes) -> list[Comparison]:
    """The command line, from its start to its end, where it has little to do."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "catalog.db"))
        Catalog(path).close()
        bare = ("`python -c pass`", "pass", Goal("slower", 2.5))
        packages = ("importing the library's four dependencies", "import apsw, attrs, cattrs, loguru", Goal("slower", 1.7))
        runs = {
            "`retrovue-uow --help`": (bare, ["--help"]),
            "`retrovue-uow --version`": (bare, ["--version"]),
            "`retrovue-uow collection list`": (packages, ["collection", "list", "--catalog", path]),
        }
        return [
            compared(
                what,
                against,
                goal,
                *by_turns(partial(_taken_by, statement), partial(_taken_by_command, arguments), rounds=sizes.starts),
                note=_NOTE,
            )
            for what, ((against, statement, goal), arguments) in runs.items()
        ]


def listing(sizes: Sizes) -> list[Comparison]:
    """`asset list` of a large catalogue, into a pipe and on a terminal of 120 columns."""
    with template(sizes.rescan) as stocked:
        command = [sys.executable, "-m", "retrovue_uow", "asset", "list", "--catalog", stocked.path]
        ways: dict[str, tuple[Callable[[], object], float]] = {
            "into a pipe": (partial(_run, *command[1:]), 2.5),
            "on a terminal": (partial(_on_terminal, command), 5),
        }
        taken = {where: ([timed(run) for _ in range(sizes.rounds)], limit) for where, (run, limit) in ways.items()}
    return [
        compared(
            f"`asset list` of {sizes.rescan:,} assets, {where}",
            "nothing",
            Goal("more", limit),
            found,
            [Taken(0, 0)] * len(found),
            note=_NOTE,
        )
        for where, (found, limit) in taken.items()
    ]


def _on_terminal(command: Sequence[str]) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    with subprocess.Popen(command, stdout=theirs) as process:  # noqa: S603  ourselves
        os.close(theirs)
        with suppress(OSError):  # how Linux says that nobody has the terminal any more
            while os.read(ours, 1 << 16):
                pass
    os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _taken_by_command(arguments: Sequence[str]) -> Taken:
    return timed(lambda: _run("-m", "retrovue_uow", *arguments))


def _taken_by(statement: str) -> Taken:
    return timed(lambda: _run("-c", statement))


def _run(*arguments: str) -> None:
    """Run a Python that may keep its bytecode, as an installed one does; the library's may not be compiled yet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=environment)  # noqa: S603  ourselves
