"""Runs the commands of `docs/tutorial.md`. `python tests/tutorial.py` writes their real output into the page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest import mock

import attrs
from click.testing import CliRunner

from retrovue_uow import Catalog
from retrovue_uow.cli.app import app

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
FOLDER = "/home/station"
"""Where the page says that it works. Tables shorten paths by their length, so the scratch folder's name is as long."""
WIDTH = "120"

_BLOCK = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n", re.MULTILINE)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_OTHER_EACH_TIME = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "2026-11-25T08:44:15.573002Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2026-11-25 08:44:15 UTC"),
    (re.compile(r"\b\d+\.\d s$", re.MULTILINE), "1.8 s"),
    (re.compile(r"\bprocess \d+\b"), "process 4711"),
    (re.compile(r"…[0-9a-f]{8}\b"), "…a9470d11"),
    (re.compile(r" +$", re.MULTILINE), ""),
)


@attrs.frozen
class Ran:
    """A command as the page has it, and what came of it, with identifiers, times and folders made the page's."""

    command: str
    output: str
    exit_code: int


@attrs.frozen
class Walk:
    """The whole page, done.

    Attributes:
        blocks: The commands of each block.
        states: The catalogue as it was at the end of each part of the page, by the part's heading.
        page: The page with the output of this run.
    """

    blocks: tuple[tuple[Ran, ...], ...]
    states: dict[str, Path]
    page: str


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty working folder, with a path exactly as long as the page's."""
    folder = Path(tempfile.mkdtemp(prefix="", dir="/tmp"))
    assert len(str(folder)) == len(FOLDER), f"{folder} and {FOLDER} must be equally long"
    before = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(sys.modules, {"guessit": None}):  # the page is for those who install the command line alone
            yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def walk(folder: Path, states: Path) -> Walk:
    """Do all that the page says in `folder`, which is the working folder; copies of the catalogue go to `states`."""
    page = PAGE.read_text(encoding="utf-8")
    preface, *parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    typist = Typist(folder)
    written = [preface]
    kept: dict[str, Path] = {}
    for part in parts:
        written.append(typist.typed(part))
        heading = part.splitlines()[0].removeprefix("## ")
        if os.path.exists("catalog.db"):
            kept[heading] = states / f"{len(kept)}.db"
            with Catalog("catalog.db", read_only=True) as catalog:
                catalog.backup(kept[heading])
    return Walk(tuple(typist.blocks), kept, "".join(written))


class Typist:
    """Types the commands of block after block, and remembers how identifiers were called."""

    def __init__(self, folder: Path) -> None:
        self.blocks: list[tuple[Ran, ...]] = []
        self._folder = folder
        self._numbers = count(1)
        self._real: dict[str, str] = {}  # by the page's identifier

    def typed(self, part: str) -> str:
        """The part of the page with the output of its commands."""
        return _BLOCK.sub(self._done, part)

    def _done(self, block: re.Match[str]) -> str:
        ran = tuple(self.run(command) for command in _COMMAND.findall(block[1]))
        self.blocks.append(ran)
        return "```console\n" + "".join(f"$ {each.command}\n{each.output}" for each in ran) + "```\n"

    def run(self, command: str) -> Ran:
        """Type one command."""
        typed = _UUID.sub(lambda found: self._real[found[0]], command).replace("\\\n", "")
        program, *arguments = shlex.split(typed)
        if program == "python3":
            script = subprocess.run([sys.executable, ROOT / arguments[0], *arguments[1:]], capture_output=True, check=False)
            return Ran(command, (script.stdout + script.stderr).decode(), script.returncode)
        assert program == "retrovue-uow"
        result = CliRunner(env={"COLUMNS": WIDTH, "RETROVUE_CATALOG": None}).invoke(app, arguments)
        return Ran(command, self._as_on_the_page(result.output), result.exit_code)

    def _as_on_the_page(self, output: str) -> str:
        output = output.replace(str(self._folder), FOLDER)
        for length in range(len(FOLDER) - 1, len("/tmp/"), -1):  # where a table shortened it
            output = output.replace(f"{self._folder}"[:length] + "…", FOLDER[:length] + "…")
        output = _UUID.sub(lambda found: self._called(found[0]), output)
        for pattern, constant in _OTHER_EACH_TIME:
            output = pattern.sub(constant, output)
        return output

    def _called(self, real: str) -> str:
        known = {each: name for name, each in self._real.items()}
        if real not in known:
            known[real] = f"01a211e0-0000-7000-8000-{next(self._numbers):012}"
            self._real[known[real]] = real
        return known[real]


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as states, scratch_folder() as folder:
        page = walk(folder, Path(states)).page
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
