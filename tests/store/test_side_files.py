"""What is made beside a catalogue: as private as the catalogue itself, and nobody else's file is in danger."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrovue_uow import Catalog, Collection, ResourceError
from retrovue_uow.store.result_cache import ResultCache
from retrovue_uow.testing import FakeEnricher, FakeImporter


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def remove_side_files(folder: Path) -> None:
    shutil.rmtree(folder / "catalog.db.claims", ignore_errors=True)
    for side_file in folder.glob("catalog.db-*"):
        side_file.unlink()


def modes(folder: Path) -> dict[str, int]:
    found = [path for path in folder.rglob("*") if path.name != "media" and "media" not in path.parent.name]
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in found}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_everything_beside_a_catalogue_has_its_permissions(
    tmp_path: Path, catalog: Catalog, collection: Collection, enricher: FakeEnricher, mode: int
) -> None:
    path = Path(catalog.database.path)
    catalog.close()
    remove_side_files(tmp_path)
    path.chmod(mode)
    with umask(0o022), Catalog(path, importers={"fake": FakeImporter()}, enrichers={"fake": enricher}) as opened:
        opened.wipe_collection(collection.name)
        with ResultCache(opened.database.path) as cache:
            cache.put("key", "text")
        opened.backup(tmp_path / "copy.db")
        found = modes(tmp_path)

    folder = mode | (mode & 0o444) >> 2
    assert found.pop("catalog.db.claims") == folder
    assert set(found.values()) == {mode}
    assert set(found) >= {"catalog.db", "catalog.db-next", "catalog.db-turn", "catalog.db.cache.db", "copy.db"}


AS_ANOTHER_USER = """
import os, sys
from retrovue_uow import Catalog
with Catalog(":memory:") as catalog:  # imports all that the other user may not read
    catalog.add_source("disk")
    catalog.add_collection("disk", "Shows")
    catalog.wipe_collection("Shows")
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
with Catalog(sys.argv[1]) as catalog:
    catalog.add_source("second user")
    catalog.wipe_collection(sys.argv[2])
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user reaches. `tmp_path` is none: whatever run of pytest begins closes the folder above it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in (folder, *list(folder.parents)[:-2]):
            each.chmod(each.stat().st_mode | 0o001)
        folder.chmod(0o777)
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_second_user_who_may_write_the_catalogue_can_write(
    open_to_all: Path, catalog: Catalog, collection: Collection
) -> None:
    path = open_to_all / "catalog.db"
    catalog.backup(path)
    path.chmod(0o666)
    with umask(0o022), Catalog(path) as first:
        first.add_source("first user")
        first.wipe_collection(collection.name)

    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, str(path), collection.name], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    with Catalog(path) as again:
        assert {"first user", "second user"} <= {source.name for source in again.sources()}


def test_a_backup_harms_no_file_whose_name_begins_like_its_own(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "copy.db.part").write_text("mine")

    catalog.backup(tmp_path / "copy.db")

    assert (tmp_path / "copy.db.part").read_text() == "mine"
    assert not list(tmp_path.glob("retrovue-*"))
    with Catalog(tmp_path / "copy.db") as copy:
        assert copy.check().violations == ()


@pytest.mark.parametrize("name", ["x" * 300, "file/copy.db", "no folder/copy.db"], ids=["long", "below a file", "nowhere"])
def test_a_backup_that_cannot_be_written_there_says_so(catalog: Catalog, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ResourceError, match="cannot be written: "):
        catalog.backup(tmp_path / name)

    assert not list(tmp_path.glob("*.part"))
