"""SQLite's temporary files: where they find no room, the unit is undone, in the library's words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from harness import episode
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot
from retrovue_uow import Catalog, OperationError, ResourceError

path, folder, count = sys.argv[1:]
importer = FakeImporter([episode("Dark", 1, number) for number in range(int(count))])
with Catalog(path, importers={"fake": importer}, enrichers={"fake": FakeEnricher()}) as catalog:
    if not catalog.collections():
        catalog.add_source("disk", "fake")
        catalog.add_collection("disk", "Shows", path_mappings={"/media": folder})
        catalog.attach_enricher("Shows", "fake")
    before = snapshot(catalog)
    try:
        print(catalog.ingest_collection("Shows").created)
    except OperationError as error:
        assert isinstance(error.cause, ResourceError), repr(error.cause)
        assert snapshot(catalog) == before
        print("refused:", error.cause)
    assert not catalog.check().violations
"""
MOUNTED = 'mount -t tmpfs -o "$0" tmpfs "$SQLITE_TMPDIR" && exec "$@"'


@pytest.mark.parametrize("room", ["size=64k", "nr_inodes=1"])
def test_a_full_temporary_folder_is_a_resource_error_and_undoes_the_unit(tmp_path: Path, room: str) -> None:
    temporary, media = tmp_path / "temporary", tmp_path / "media"
    for folder in (temporary, media):
        folder.mkdir()
    (media / "mounted.txt").touch()
    own_mounts = ["unshare", "--mount", "sh", "-c", MOUNTED, room]
    environment = {**os.environ, "SQLITE_TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[1])}
    try:
        subprocess.run([*own_mounts, "true"], env=environment, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small folder cannot be mounted here")

    def ingested(count: int, within: list[str]) -> str:
        run = [*within, sys.executable, "-c", SCRIPT, str(tmp_path / "catalog.db"), str(media), str(count)]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.stderr == ""
        return done.stdout

    assert ingested(10, []) == "10\n"

    refusal = ingested(3000, own_mounts)

    assert refusal.startswith("refused: database")
    assert "in the folder for temporary files (SQLITE_TMPDIR)" in refusal
    assert ingested(20, []) == "10\n"
