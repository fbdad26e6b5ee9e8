"""Fixtures that every wing's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import asked, command, here, ingested, run, shows  # noqa: F401  fixtures
from harness import FakeEnricher, FakeImporter, episode, movie

from retrovue_uow import Catalog, Collection


@pytest.fixture
def importer() -> FakeImporter:
    return FakeImporter([episode("Space: 1999", 1, number) for number in (1, 2, 3)] + [movie("Tron", 1982)])


@pytest.fixture
def enricher() -> FakeEnricher:
    return FakeEnricher()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A mapped folder with something in it, so that it counts as mounted."""
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "mounted.txt").write_text("the fake importer's files need not exist")
    return folder


@pytest.fixture
def catalog(tmp_path: Path, importer: FakeImporter, enricher: FakeEnricher) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.db", importers={"fake": importer}, enrichers={"fake": enricher}) as opened:
        yield opened


@pytest.fixture
def collection(catalog: Catalog, media: Path) -> Collection:
    """A collection of the fake importer's, with the fake enricher attached. Its drafts lie below `/media`."""
    catalog.add_source("station", "fake")
    catalog.add_collection("station", "Shows", path_mappings={"/media": str(media)})
    return catalog.attach_enricher("Shows", "fake")
