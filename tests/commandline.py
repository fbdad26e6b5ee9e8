"""Fixtures of the command line's tests, which `conftest` hands on: a working folder, media in it, and the command itself."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from retrovue_uow.cli.app import app

Run = Callable[..., Result]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Ask = Callable[..., "subprocess.CompletedProcess[str]"]
EPISODES = [f"Space 1999/Season 01/Space 1999 S01E0{number}.mkv" for number in (1, 2, 3)]
FILES = [*EPISODES, "Movies/Tron (1982).mkv", "Bumpers/station bump.mkv", "xyzzy.mkv"]


def make_files(folder: Path, names: list[str]) -> Path:
    """Files that nothing probes: their names are all that counts."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"media")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("RETROVUE_CATALOG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("COLUMNS")  # also where readline has set it behind `os.environ`, for whatever is started
    return folder


@pytest.fixture
def shows(tmp_path: Path) -> Path:
    """A folder with six files."""
    return make_files(tmp_path / "shows", FILES)


@pytest.fixture
def run(here: Path) -> Run:
    """The command in this process."""
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def command(here: Path) -> Command:
    """The command in a process of its own."""

    def start(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "retrovue_uow", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )

    return start


@pytest.fixture
def ingested(run: Run, shows: Path) -> Path:
    """The folder, ingested into `catalog.db` as collection `shows`."""
    result = run("ingest", shows, "--no-probe")
    assert result.exit_code == 0, result.output
    return shows


@pytest.fixture
def asked(here: Path) -> Ask:
    """The command with a terminal to ask at, and what is typed there."""

    def ask(*arguments: str, typed: str) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        try:
            os.write(ours, typed.encode())
            command = [sys.executable, "-m", "retrovue_uow", *arguments]
            return subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, timeout=60)
        finally:
            os.close(ours)
            os.close(theirs)

    return ask
