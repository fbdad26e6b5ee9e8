"""How much is tried, and the figures of what was, told at the end of the run and written into the documentation on demand."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from proof.figures import KEY, PAGE, Figures, Size


def pytest_addoption(parser: pytest.Parser) -> None:
    with contextlib.suppress(ValueError):  # somebody has added the option already
        parser.addoption("--proof", choices=("sample", "full"), default=None, help="how much the proof tries")
    with contextlib.suppress(ValueError):
        parser.addoption("--write-reliability", action="store_true", help="write what the proof tried into docs/reliability.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KEY] = Figures()


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Size:
    """How much is tried: `--proof`, or the environment variable `RETROVUE_PROOF`, or a sample."""
    chosen = pytestconfig.getoption("--proof", default=None) or os.environ.get("RETROVUE_PROOF") or "sample"
    return Size(str(chosen))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config, size: Size) -> Figures:
    """Where a test leaves what it tried."""
    found = pytestconfig.stash.setdefault(KEY, Figures())  # where this file was found too late to be asked before
    found.size = size
    return found


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> Iterator[None]:
    yield
    found = config.stash.get(KEY, Figures())
    for report in terminalreporter.stats.get("xfailed", []):
        found.expect_failure(report.nodeid, report.wasxfail)
    if found.lines:
        terminalreporter.section(f"proof: {found.size}")
        terminalreporter.write_line(found.as_text())
    if config.getoption("--write-reliability", default=False) and exitstatus == 0:
        PAGE.write_text(found.as_markdown(), encoding="utf-8")
        terminalreporter.write_line(f"written: {PAGE.name}")
