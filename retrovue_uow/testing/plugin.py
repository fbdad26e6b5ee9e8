"""Fixtures and hooks for pytest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

import retrovue_uow
from retrovue_uow import testing  # by whose names, as by the library's, the rest is imported when a fixture is used

if TYPE_CHECKING:
    from retrovue_uow import Catalog
    from retrovue_uow.testing.fakes import FakeEnricher, FakeImporter

MediaFolder = Callable[..., Path]
REPLAY, SHORT_NAMES = "--proof-replay", "retrovue_short_names"
listeners: list[Callable[[str], None]] = []
"""Who hears how far a long proof has come. They stand here, since the plugin should not load the proofs."""
replayed: list[str] = []
"""The name of the one fault that proofs try, where one was asked for."""
NAMES = (
    "Captain Comet/Captain Comet - S01E01.mkv",
    "Captain Comet/Captain Comet - S01E02.mkv",
    "Movies/Night of the Robots (1955).mkv",
    "Bumpers/bumper 1.mp4",
)
_PICTURE, _SOUND = "testsrc=size=64x48:rate=5:duration=1", "sine=frequency=440:duration=1"


@pytest.fixture(name="retrovue_catalog")
def catalog_fixture(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalogue in a new file; its importer and enricher of type `fake` know twelve drafts, and measure a minute."""
    importer, enricher = testing.fake_importer(testing.drafts(12)), testing.fake_enricher()
    with retrovue_uow.Catalog(tmp_path / "catalog.db", importers={"fake": importer}, enrichers={"fake": enricher}) as opened:
        yield opened


@pytest.fixture(name="retrovue_extended_catalog")
def extended_catalog_fixture(tmp_path: Path) -> Iterator[Callable[..., Catalog]]:
    """`retrovue_extended_catalog(*extensions)`: a new catalogue with these, and with twelve assets that may go on the air."""
    with ExitStack() as opened:
        yield lambda *extensions: opened.enter_context(
            testing.extended_catalog(tmp_path / f"extended-{uuid4()}.db", *extensions)
        )


@pytest.fixture(name="retrovue_fake_importer")
def fake_importer_fixture() -> Callable[..., FakeImporter]:
    """The function `fake_importer`."""
    return testing.fake_importer


@pytest.fixture(name="retrovue_fake_enricher")
def fake_enricher_fixture() -> Iterator[Callable[..., FakeEnricher]]:
    """The function `fake_enricher`; what it made is released with the test."""
    made: list[FakeEnricher] = []

    def make(**arguments: object) -> FakeEnricher:
        made.append(testing.fake_enricher(**arguments))  # type: ignore[arg-type]  # `fake_enricher` says what they are
        return made[-1]

    yield make
    for enricher in made:
        enricher.release()


@pytest.fixture(name="retrovue_media_folder")
def media_folder_fixture(tmp_path: Path, _retrovue_clip: Callable[[str], Path | None]) -> MediaFolder:
    """`media_folder(*names, folder="media")`: a folder with those files, or with a few of a station's.

    With ffmpeg they are a second of picture and sound each; without it, or if it cannot write that format, any bytes.
    """

    def make(*names: str, folder: str = "media") -> Path:
        root = tmp_path / folder
        for name in names or NAMES:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            clip = _retrovue_clip(path.suffix)
            if clip is None:
                path.write_bytes(name.encode())
            else:
                shutil.copyfile(clip, path)
        return root

    return make


@pytest.fixture(name="_retrovue_clip", scope="session")
def clip_fixture(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path | None]:
    """A clip in the format of a suffix, made when it is first asked for; None: it cannot be made."""

    @cache
    def clip(suffix: str) -> Path | None:
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            return None
        path = tmp_path_factory.mktemp("retrovue-clip") / f"clip{suffix}"
        command = [ffmpeg, "-v", "quiet", "-f", "lavfi", "-i", _PICTURE, "-f", "lavfi", "-i", _SOUND, str(path)]
        outcome = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)  # noqa: S603  our own words
        return path if outcome.returncode == 0 else None

    return clip


def _short(name: str) -> Callable[..., object]:
    @pytest.fixture(name=name)
    def fixture(request: pytest.FixtureRequest) -> object:
        """The fixture of that name with `retrovue_` before it, where the project wants it (`retrovue_short_names`)."""
        if not request.config.getini(SHORT_NAMES):
            advice = f"ask for 'retrovue_{name}', or set {SHORT_NAMES} = true in pytest's configuration"
            ours = retrovue_uow.__name__, testing.__name__, __name__  # which pytest loads everywhere
            if not any(loaded.startswith(f"{ours[0]}.") and loaded not in ours for loaded in sys.modules):
                request.raiseerror(f"fixture {name!r} not found: retrovue_uow has one, but nothing here uses it; {advice}")
            request.node.warn(DeprecationWarning(f"the fixture {name!r} of retrovue_uow will be gone in 0.3: {advice}"))
        return request.getfixturevalue(f"retrovue_{name}")

    return fixture


catalog_short, media_folder_short = _short("catalog"), _short("media_folder")
fake_importer_short, fake_enricher_short = _short("fake_importer"), _short("fake_enricher")


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for proofs, and one setting for fixtures."""
    parser.getgroup("retrovue_uow").addoption(REPLAY, metavar="FAULT", help="the one fault that `assert_atomic` is to try")
    parser.addini(SHORT_NAMES, "whether retrovue_uow's fixtures are there without `retrovue_` before their names", type="bool")


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Show which rows differ where two snapshots are not equal."""
    snapshots = sys.modules.get(f"{testing.__name__}.snapshots")  # without it there is nothing of ours to compare
    if op != "==" or snapshots is None:
        return None
    if not isinstance(left, testing.Snapshot) or not isinstance(right, testing.Snapshot):
        return None
    return [f"{left!r} == {right!r}", "", *snapshots.shortened(right.differences(left))]


@pytest.hookimpl(trylast=True)  # the terminal must be there
def pytest_configure(config: pytest.Config) -> None:
    """Let long proofs report to a terminal whose user wants to know (`-v` or `-s`), and tell them what to replay."""
    replayed.extend(filter(None, [config.getoption(REPLAY)]))
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and (config.getoption("verbose", 0) > 0 or config.getoption("capture", None) == "no"):
        listeners.append(terminal.write_line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Report to nobody any more, and replay nothing."""
    listeners.clear()
    replayed.clear()
