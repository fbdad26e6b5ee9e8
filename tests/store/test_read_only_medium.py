"""A catalogue where nothing can be made beside it is read where that is safe; else the refusal gives the true reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from retrovue_uow import Catalog

MOUNTED = 'mount --bind "$0" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
"""The folder is read-only where it is mounted, and can still be written where it lies."""
IMPORTS = """
import os, sys
from pathlib import Path
import apsw
from retrovue_uow import Catalog, ResourceError

def names(path):
    try:
        with Catalog(path, read_only=True) as catalog:
            assert catalog.check().is_sound
            return [source.name for source in catalog.sources()]
    except ResourceError as error:
        return str(error)

"""
Said = Callable[[str], list[str]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What a program prints that is given the folder of a catalogue, and a read-only mount of it."""
    there, medium = tmp_path / "there", tmp_path / "medium"
    there.mkdir()
    medium.mkdir()
    with Catalog(there / "catalog.db") as catalog:
        catalog.add_source("disk")
    own_mounts = ["unshare", "--mount", "sh", "-c", MOUNTED, str(there), str(medium)]
    try:
        subprocess.run([*own_mounts, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")

    def run(program: str) -> list[str]:
        folders = f"there, medium = Path({str(there)!r}), Path({str(medium)!r})\n"
        command = [*own_mounts, sys.executable, "-c", IMPORTS + folders + program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_it_is_read_and_nothing_is_made_there(said: Said, tmp_path: Path) -> None:
    before = sorted(each.name for each in (tmp_path / "there").iterdir())

    found = said(f"""
print(names(medium / "catalog.db"))
with Catalog(medium / "catalog.db", read_only=True) as catalog:
    catalog.backup({str(tmp_path / "copy.db")!r})
try:
    Catalog(medium / "catalog.db")
except ResourceError as error:
    print(error)
""")

    path = tmp_path / "medium" / "catalog.db"
    assert found == ["['disk']", f"catalogue '{path}' lies on a read-only file system: open it read-only"]
    assert sorted(each.name for each in (tmp_path / "there").iterdir()) == before
    with Catalog(tmp_path / "copy.db") as copy:
        assert [source.name for source in copy.sources()] == ["disk"]


CRASH = """
import os, sys
from retrovue_uow import Catalog
catalog = Catalog(sys.argv[1])
catalog.add_source("last")
os._exit(0)
"""


def test_a_log_with_content_beside_it_is_read_or_else_named(said: Said, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path / "there" / "catalog.db")], check=True)

    with_index, without = said("""
print(names(medium / "catalog.db"))
(there / "catalog.db-shm").unlink()
print(names(medium / "catalog.db"))
""")

    assert with_index == "['disk', 'last']"
    assert "read-only file system, and the log beside it holds what was written last: copy both" in without


def test_what_is_written_from_elsewhere_meanwhile_is_never_half_read(said: Said, tmp_path: Path) -> None:
    found = said("""
reader = Catalog(medium / "catalog.db", read_only=True)
print(len(reader.sources()))
with Catalog(there / "catalog.db") as writer:
    writer.add_source("in the log")
    for read in (reader.sources, reader.check):
        try:
            read()
        except ResourceError as error:
            print(error)
    print(names(medium / "catalog.db"))
    with writer.session():
        for number in range(300):
            writer.add_source(f"source {number:03}")
for read in (reader.history, lambda: reader.backup("copy.db")):
    try:
        read()
    except ResourceError as error:
        print(error)
reader.close()
print(len(names(medium / "catalog.db")))
""")

    refusal = (
        f"catalogue '{tmp_path / 'medium' / 'catalog.db'}' lies on a file system that is read-only here, and was written from "
        "elsewhere since it was opened: close it and open it again"
    )
    assert found == ["1", refusal, refusal, "['disk', 'in the log']", refusal, refusal, "302"]


AS_ANOTHER_USER = """
with Catalog(":memory:"):
    pass  # imports all that the other user may not read
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for read_only in (True, False):
    try:
        with Catalog(sys.argv[1], read_only=read_only) as catalog:
            print(len(catalog.sources()))
    except ResourceError as error:
        print(error)
"""


def said_as_another_user(path: Path) -> list[str]:
    command = [sys.executable, "-c", IMPORTS + AS_ANOTHER_USER, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def shown() -> Iterator[Path]:
    """A catalogue that everybody may write, in a folder that everybody may only read; pytest's own is for one user."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "catalog.db"
        Catalog(path).close()
        path.chmod(0o666)
        yield path


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_a_folder_where_the_user_may_make_no_log_is_named(shown: Path) -> None:
    alone = said_as_another_user(shown)
    with Catalog(shown):
        while_others_have_it_open, _ = said_as_another_user(shown)

    for refusal in alone:
        assert f"even to read, and this user may not write in folder '{shown.parent}'" in refusal
    assert while_others_have_it_open == "0"


@needs_root
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_side_file_that_the_user_may_not_read_is_named(shown: Path, suffix: str) -> None:
    with Catalog(shown):
        side_file = Path(f"{shown}{suffix}")
        side_file.chmod(0o600)
        refusals = said_as_another_user(shown)

    for refusal in refusals:
        assert f"SQLite needs '{side_file}', which this user may not read: give it the permissions of the catalogue" in refusal
