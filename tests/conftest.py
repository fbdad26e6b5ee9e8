"""Fixtures that every wing's tests share."""

from __future__ import annotations

import gc
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import asked, command, here, ingested, run, shows  # noqa: F401  fixtures
from extending import extension, offered  # noqa: F401  fixtures
from harness import episode, movie
from kodi_server import kodi, one_kodi  # noqa: F401  fixtures
from proof.hooks import (  # noqa: F401  hooks and fixtures
    figures,
    pytest_addoption,
    pytest_configure,
    pytest_report_header,
    pytest_runtest_makereport,
    pytest_terminal_summary,
    size,
)

from retrovue_uow import Catalog, Collection
from retrovue_uow.testing import FakeEnricher, FakeImporter


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """What `nohup` or a shell starts in the background ignores signals that our tests send, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Thousands of tests lie in memory, and stay: the collector need not walk them again and again."""
    gc.freeze()


@pytest.fixture
def importer() -> FakeImporter:
    return FakeImporter([episode("Space: 1999", 1, number) for number in (1, 2, 3)] + [movie("Tron", 1982)])


@pytest.fixture
def enricher() -> FakeEnricher:
    return FakeEnricher()


@pytest.fixture(scope="session")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `media` lies, in every test."""
    return tmp_path_factory.mktemp("mounted") / "media"


@pytest.fixture
def media(mounted: Path) -> Path:
    """A mapped folder with something in it, so that it counts as mounted."""
    for left in mounted.parent.iterdir():  # by the test before
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    mounted.mkdir()
    (mounted / "mounted.txt").write_text("the fake importer's files need not exist")
    return mounted


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of an empty catalogue: to copy one is quicker than to make one."""
    path = tmp_path_factory.mktemp("empty") / "catalog.db"
    Catalog(path).close()
    return path.read_bytes()


@pytest.fixture(scope="session")
def with_collection(tmp_path_factory: pytest.TempPathFactory, mounted: Path) -> bytes:
    """The file of a catalogue with `collection`."""
    path = tmp_path_factory.mktemp("with_collection") / "catalog.db"
    with Catalog(path, importers={"fake": FakeImporter()}, enrichers={"fake": FakeEnricher()}) as catalog:
        catalog.add_source("station", "fake")
        catalog.add_collection("station", "Shows", path_mappings={"/media": str(mounted)})
        catalog.attach_enricher("Shows", "fake")
    return path.read_bytes()


@pytest.fixture
def catalog(
    request: pytest.FixtureRequest, tmp_path: Path, empty: bytes, importer: FakeImporter, enricher: FakeEnricher
) -> Iterator[Catalog]:
    is_configured = "collection" in request.fixturenames
    (tmp_path / "catalog.db").write_bytes(request.getfixturevalue("with_collection") if is_configured else empty)
    with Catalog(tmp_path / "catalog.db", importers={"fake": importer}, enrichers={"fake": enricher}) as opened:
        yield opened


@pytest.fixture
def collection(catalog: Catalog, media: Path) -> Collection:
    """A collection of the fake importer's, with the fake enricher attached. Its drafts lie below `/media`."""
    return catalog.collection("Shows")
