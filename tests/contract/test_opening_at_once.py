"""Processes that open a catalogue at the same moment: one of them makes or migrates it, and all of them have it."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest
from proof.figures import Size

from retrovue_uow import Catalog
from retrovue_uow.store import extensions
from retrovue_uow.uow.connection import has_log

OLDER = Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz"
PROCESSES = 8
OPENING = """
import sys
import time
from retrovue_uow import Catalog, Extension

sys.path += sys.argv[1:]
extensions = [Extension("playlog", "playlog") for _ in sys.argv[1:]]
for line in sys.stdin:
    path, moment = line.split("\\t")
    time.sleep(max(float(moment) - time.time(), 0))
    try:
        with Catalog(path, extensions=extensions) as catalog:
            print(len(catalog.history()), flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""


def older_version(path: Path) -> None:
    """A catalogue that lacks the newest migration."""
    path.write_bytes(gzip.decompress(OLDER.read_bytes()))
    if len(extensions.own().migrations) == 3:
        connection = apsw.Connection(str(path))
        connection.execute("DROP INDEX title_spelling_identity; DROP TABLE title_spelling; DROP TABLE retirement").fetchall()
        connection.execute("DROP TABLE assignment; PRAGMA user_version = 2").fetchall()
        connection.close()


def current_version(path: Path) -> None:
    """A catalogue that lacks no migration of its own."""
    Catalog(path).close()


def opener(*folders: str) -> subprocess.Popen[str]:
    """A process that ends when its input does, as `with` leaves it; in a folder it finds an extension."""
    return subprocess.Popen([sys.executable, "-c", OPENING, *folders], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


Make = Callable[[Path], None] | None


@pytest.mark.parametrize("make", [None, older_version, current_version], ids=["made", "migrated", "extended"])
def test_of_processes_that_open_a_catalogue_at_once_each_has_it(tmp_path: Path, make: Make, size: Size) -> None:
    folders = [str(Path(__file__).parents[1])] if make is current_version else []
    with ExitStack() as ended:
        openers = [ended.enter_context(opener(*folders)) for _ in range(PROCESSES)]
        open_at_once(openers, tmp_path, make, size)
        for each in openers:
            each.communicate(timeout=30)
            assert each.returncode == 0


def open_at_once(openers: list[subprocess.Popen[str]], tmp_path: Path, make: Make, size: Size) -> None:
    for round_ in range(size.choose(sample=6, full=100)):
        folder = tmp_path / str(round_)
        folder.mkdir()
        path = folder / "catalog.db"
        if make is not None:
            make(path)
        moment = time.time() + 0.05
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(f"{path}\t{moment}\n")
            opener.stdin.flush()
        said = [opener.stdout.readline().strip() for opener in openers if opener.stdout is not None]

        assert len(set(said)) == 1, said
        assert said[0].isdigit(), said
        assert len(list(folder.glob("*.bak"))) == (0 if make is None else 1)
        assert not list(folder.glob("*.part"))
        with Catalog(path) as catalog:
            assert catalog.check().violations == ()
            assert [each.version for each in catalog.extensions()] == ([2] if make is current_version else [])


def test_a_journal_that_another_process_removes_while_it_is_looked_at_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    toggle = "import os, sys\nwhile True:\n    open(sys.argv[1], 'w').close()\n    os.unlink(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", toggle, f"{path}-journal"]) as other:
        try:
            found = [has_log(str(path)) for _ in range(20_000)]
        finally:
            other.kill()

    assert not any(found)
