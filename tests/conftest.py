"""Fixtures that every wing's tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import asked, command, here, ingested, run, shows  # noqa: F401  fixtures
from harness import FakeEnricher, FakeImporter, episode, movie

from retrovue_uow import Catalog, Collection
from retrovue_uow.testing import Report, assert_atomic

SAMPLE = 2
"""Faults of each kind that a proof tries unless all are asked for."""
REPORTS: pytest.StashKey[list[Report]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How thoroughly the library's own operations are proven."""
    parser.addoption("--proof", choices=("sample", "full"), default="sample", help="faults tried at each operation")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what was proven for the summary."""
    config.stash[REPORTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The figures of all proofs."""
    reports = config.stash[REPORTS]
    if reports:
        points = sum((Counter(report.points) for report in reports), Counter[str]())
        faults, seconds = sum(report.faults for report in reports), sum(report.seconds for report in reports)
        counted = ", ".join(f"{count} {kind}" for kind, count in points.items())
        terminalreporter.write_line(f"proof: {faults} faults at {counted} points of {len(reports)} actions in {seconds:.0f} s")


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """`assert_atomic`, as thorough as `--proof` says."""

    def proven(catalog: Catalog, action: Callable[[Catalog], object]) -> Report:
        sample = None if request.config.getoption("--proof") == "full" else SAMPLE
        report = assert_atomic(catalog, action, sample=sample)
        request.config.stash[REPORTS].append(report)
        return report

    return proven


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
