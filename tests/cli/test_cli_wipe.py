"""`collection wipe`: nothing is deleted that was not shown and agreed to."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import Ask, Run

from retrovue_uow.testing import snapshot


def test_a_typed_yes_wipes_what_was_shown(asked: Ask, ingested: Path) -> None:
    result = asked("collection", "wipe", "shows", typed="yes\n")

    assert result.returncode == 0
    assert "asset 6" in [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert snapshot("catalog.db")["asset"] == []
    assert len(snapshot("catalog.db")["collection"]) == 1


def test_what_came_in_after_the_question_is_not_wiped_by_the_answer(here: Path, ingested: Path, run: Run) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "retrovue_uow", "collection", "wipe", "shows"]
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stderr is not None
        asked = b""
        while not asked.endswith(b"type yes to go on: "):
            asked += process.stderr.read(1)
        (ingested / "new.mkv").write_bytes(b"media")
        assert run("ingest", ingested).exit_code == 0
        os.write(ours, b"yes\n")
        complaint = process.stderr.read()
    os.close(ours)
    os.close(theirs)

    assert process.returncode == 1
    assert b"holds 7 assets, not the expected 6" in complaint
    assert len(snapshot("catalog.db")["asset"]) == 7


@pytest.mark.parametrize("typed", ["no\n", "y\n", "YES\n", "Yes\n", " yes\n", "yes \n", "yesyes\n", "\n", "\x04"])
def test_anything_but_yes_cancels(asked: Ask, ingested: Path, typed: str) -> None:
    before = snapshot("catalog.db")

    result = asked("collection", "wipe", "shows", typed=typed)

    assert (result.returncode, result.stdout) == (0, "cancelled\n")
    assert snapshot("catalog.db") == before


def test_the_question_leaves_standard_output_to_the_json(asked: Ask, ingested: Path) -> None:
    cancelled = asked("collection", "wipe", "shows", "--json", typed="no\n")
    wiped = asked("collection", "wipe", "shows", "--json", typed="yes\n")

    assert json.loads(cancelled.stdout) == {"cancelled": True}
    assert json.loads(wiped.stdout)["deleted"]["asset"] == 6


def test_without_a_terminal_and_without_force_a_wipe_is_refused(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")

    result = run("collection", "wipe", "shows")

    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert snapshot("catalog.db") == before


def test_force_does_not_ask(run: Run, ingested: Path) -> None:
    result = run("collection", "wipe", "shows", "--force")

    assert result.exit_code == 0
    assert "deleted" in result.stdout
    assert snapshot("catalog.db")["asset"] == []


def test_a_dry_run_tells_exactly_what_a_wipe_then_deletes(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")

    rehearsed = json.loads(run("collection", "wipe", "shows", "--dry-run", "--json").stdout)

    assert snapshot("catalog.db") == before
    assert rehearsed["deleted"] == json.loads(run("collection", "wipe", "shows", "--force", "--json").stdout)["deleted"]


@pytest.mark.parametrize("way", ["--force", "--dry-run"])
def test_another_count_than_expected_is_refused(run: Run, ingested: Path, way: str) -> None:
    before = snapshot("catalog.db")

    result = run("collection", "wipe", "shows", way, "--expect-assets", 5)

    assert result.exit_code == 1
    assert "holds 6 assets" in result.stderr
    assert snapshot("catalog.db") == before


def test_no_media_file_is_touched(run: Run, ingested: Path) -> None:
    before = sorted(ingested.rglob("*"))

    run("collection", "wipe", "shows", "--force")

    assert sorted(ingested.rglob("*")) == before
