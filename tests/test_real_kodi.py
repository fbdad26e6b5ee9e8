"""What docs/how-to.md says of a Kodi happens with a real one. `python tests/test_real_kodi.py` writes the page anew."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from kodi_server import Kodi, installed
from proof.figures import Size
from tutorial import FOLDER, Ran, Typist

from retrovue_uow import Catalog, IngestError, IngestResult, ResourceError

PAGE = Path(__file__).parent.parent / "docs" / "how-to.md"
HEADING = "### Ingest what a Kodi has"
PAGE_URL = "http://127.0.0.1:8080"


class KodiTypist(Typist):
    """Types the commands of the section, and does what its comments say that somebody does meanwhile."""

    def __init__(self, kodi: Kodi) -> None:
        super().__init__(kodi.media)
        self._kodi = kodi
        self._done_by_others = {
            "# episode 2 is removed from Kodi's library": lambda: kodi.forget(2),
            "# all episodes are": kodi.forget,
            "# Kodi scans its sources again": kodi.restore,
        }

    def run(self, command: str) -> Ran:
        if command in self._done_by_others:
            self._done_by_others[command]()
            return Ran(command, "", 0)
        if command.startswith("rm "):
            os.unlink(command.removeprefix("rm ").strip("'").replace(FOLDER, str(self._kodi.media)))
            return Ran(command, "", 0)
        done = super().run(command.replace(PAGE_URL, self._kodi.url).replace(FOLDER, str(self._kodi.media)))
        return Ran(command, done.output.replace(self._kodi.url, PAGE_URL), done.exit_code)


def walked(kodi: Kodi, folder: Path) -> tuple[str, KodiTypist]:
    """The page with the output of the section's commands, done in `folder`, and who typed them."""
    before, heading, after = PAGE.read_text(encoding="utf-8").partition(HEADING)
    section, following, rest = after.partition("\n##")
    typist = KodiTypist(kodi)
    environment = {"KODI_PASSWORD": kodi.password, "KODI_OLD_PASSWORD": "rocket1957"}
    was = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, environment):
            return before + heading + typist.typed(section) + following + rest, typist
    finally:
        os.chdir(was)


@pytest.fixture
def walk(kodi: Kodi, tmp_path: Path) -> tuple[str, KodiTypist, Path]:
    """The section, done: the page, who typed it, and the catalogue."""
    return *walked(kodi, tmp_path), tmp_path / "catalog.db"


def test_the_page_shows_what_happens(walk: tuple[str, KodiTypist, Path]) -> None:
    page, typist, path = walk

    assert page == PAGE.read_text(encoding="utf-8"), "write the page anew with `python tests/test_real_kodi.py`"
    ran = [each for block in typist.blocks for each in block]
    assert [each.command for each in ran if bool(each.exit_code) != each.output.startswith("error: ")] == []
    assert len([each for each in ran if each.exit_code]) == 3
    with Catalog(path, read_only=True) as catalog:
        both = catalog.assets("Shows", title="Captain Comet")[2]
        assert (both.episode_numbers, both.episode_title, both.state) == ((3, 4), "Part 3 / Part 4", "ready")
        told: Any = catalog.metadata(both.id)["kodi"]
        assert (told["genres"], [each["plot"] for each in told["items"]]) == (["SF"], ["Rocket 3.", "Rocket 4."])
        assert len(catalog.assets(missing=True)) == 0
        assert catalog.check().is_sound
    assert not any(kodi_password in path.read_bytes() for kodi_password in (b"rocket1957", b"rocket1958"))


@pytest.fixture
def catalog(kodi: Kodi, tmp_path: Path) -> Iterator[Catalog]:
    """A catalogue with Kodi's collections, enabled and empty."""
    with Catalog(tmp_path / "catalog.db") as opened:
        config = {"url": kodi.url, "password": kodi.password, "folders": ["Station"], "timeout_s": 2}
        opened.add_source("living-room", "kodi", config)
        opened.discover_collections("living-room")
        for each in opened.collections():
            opened.enable_collection(each.id)
        yield opened


def test_a_file_whose_name_is_not_utf8_keeps_no_other_out(catalog: Catalog, kodi: Kodi) -> None:
    odd = os.fsencode(kodi.media / "Station" / "B") + b"\xfc.mkv"
    shutil.copy(os.fsencode(kodi.media / "Station" / "Bumpers" / "Good Night.mkv"), odd)
    try:
        result = catalog.ingest_collection("Station")
    finally:
        os.unlink(odd)

    assert (result.created, result.skipped) == (1, {"not_utf8": (os.fsdecode(odd),)})


def test_while_kodi_does_not_answer_others_write(catalog: Catalog, kodi: Kodi) -> None:
    kodi.signal(signal.SIGSTOP)
    failed: list[IngestError] = []
    writes = 0

    def ingest() -> None:
        with Catalog(catalog.database.path) as own:
            try:
                own.ingest_collection("Shows")
            except IngestError as error:
                failed.append(error)

    try:
        ingesting = threading.Thread(target=ingest)
        ingesting.start()
        while ingesting.is_alive():
            catalog.exclude("Movies", "*.txt")
            catalog.unexclude("Movies", "*.txt")
            writes += 1
        ingesting.join()
    finally:
        kodi.signal(signal.SIGCONT)

    assert "gave no whole answer within 2 s" in str(failed[0])
    assert writes > 3, "they waited for the one that waits for Kodi"
    assert ingested_in_the_end(catalog, kodi).created == 5


def ingested_in_the_end(catalog: Catalog, kodi: Kodi) -> IngestResult:
    """The ingest that works once Kodi does: one that went on after a stop may crash."""
    for _ in range(5):
        kodi.revive()
        with suppress(IngestError):
            return catalog.ingest_collection("Shows")
    pytest.fail("there is no ingest although Kodi was started again")


def test_a_kodi_that_stops_or_is_killed_at_any_moment_leaves_all_or_nothing(
    catalog: Catalog, kodi: Kodi, tmp_path: Path, size: Size
) -> None:
    causes: list[BaseException] = []
    started = time.monotonic()
    catalog.ingest_collection("Shows", dry_run=True)
    undisturbed_s = time.monotonic() - started
    for seed in size.seeds(sample=6, full=50):
        chance = random.Random(seed)
        killed = seed % 3 == 0  # to start another one takes seconds
        path = tmp_path / f"{seed}.db"
        catalog.backup(path)
        with Catalog(path) as own:
            ending = threading.Timer(
                chance.uniform(0, 1.5 * undisturbed_s), kodi.signal, [signal.SIGKILL if killed else signal.SIGSTOP]
            )
            ending.start()
            try:
                own.ingest_collection("Shows")
            except IngestError as error:
                causes.append(error.cause)
            ending.join()
            count = len(own.assets())
            assert count in (0, 5)
            assert own.check().is_sound
            assert ingested_in_the_end(own, kodi).unchanged == count
    assert {type(each) for each in causes} <= {ResourceError}


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder, installed(Path(home)) as kodi:
        kodi.restore()
        page, _ = walked(kodi, Path(folder))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
