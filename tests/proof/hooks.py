"""How much is tried, and the figures of what was: told at the end of every run, and on demand written into the documentation.

A test proves a promise if it is marked `@pytest.mark.proof("the promise", how="…")`. It draws what it tries from the fixture
`size`, and tells the fixture `figures`; whether the promise was kept is told by the test's outcome.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator

import hypothesis
import pytest
from proof.figures import Effort, Figures, Proof, Size

from retrovue_uow.testing.copies import in_memory

MARK = "proof"
PAGE = "docs/reliability.md"
EXAMPLES = {Effort.PART: 30, Effort.SAMPLE: 100, Effort.FULL: 1000}
FEW = {Effort.PART: 10, Effort.SAMPLE: 30, Effort.FULL: 300}
"""Of tests whose examples take long: `@settings(settings.get_profile("few"))`."""
ROOM = 2**30
FIGURES = pytest.StashKey[Figures]()
STARTED = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option for how much, one for which part of it, one for the page."""
    group = parser.getgroup("proof")
    told = "how much is tried: a seeded sample, a third of one, or all"
    group.addoption("--proof", choices=tuple(Effort), default=Effort.SAMPLE, help=told)
    group.addoption("--proof-seed", type=int, default=0, help="which sample")
    group.addoption("--write-reliability", action="store_true", help=f"write what a run of the whole suite tried into {PAGE}")


@pytest.hookimpl(tryfirst=True)  # before Hypothesis looks for its seed
def pytest_configure(config: pytest.Config) -> None:
    """Size what Hypothesis draws, before a module that asks for it is imported."""
    effort = Effort(config.getoption("--proof"))
    config.stash[FIGURES] = Figures(effort, config.getoption("--proof-seed"))
    config.stash[STARTED] = time.monotonic()
    config.addinivalue_line("markers", f"{MARK}(promise, how): proves a promise of the library; has a line in {PAGE}")
    if config.getoption("--write-reliability") and not _is_whole(config):
        raise pytest.UsageError("--write-reliability tells of the whole suite: give it no paths, -k, -m or -x")
    folder = in_memory(ROOM)
    if folder is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)  # temporary files lie there: a sync costs only time
    config.option.hypothesis_seed = str(config.getoption("--proof-seed"))  # the number 0 would count as none
    hypothesis.settings.register_profile(
        effort,
        max_examples=EXAMPLES[effort],
        database=None,
        deadline=None,  # the machine may be busy
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile(effort)
    hypothesis.settings.register_profile("few", max_examples=FEW[effort])


def _is_whole(config: pytest.Config) -> bool:
    """Whether nothing keeps a test from being run."""
    narrowing = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "maxfail", "collectonly")
    return config.args_source is not config.ArgsSource.ARGS and not any(config.getoption(name, None) for name in narrowing)


def pytest_report_header(config: pytest.Config) -> str:
    """What a failure needs to be seen again."""
    figures = config.stash[FIGURES]
    return f"proof: {figures.effort}, --proof-seed={figures.seed}"


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    """How much this test tries."""
    figures = request.config.stash[FIGURES]
    return Size(figures.effort, figures.seed, request.node.name)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Proof:
    """Where a marked test leaves what it tried."""
    return _proof_of(request.node)


def _proof_of(item: pytest.Item) -> Proof:
    mark = item.get_closest_marker(MARK)
    assert mark is not None, "only a test that is marked as a proof has figures"
    return item.config.stash[FIGURES].proof(*mark.args, **mark.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how a proof ended: the page says what the run found, not what the test says."""
    report = yield
    item.config.stash[FIGURES].note_gap(report)
    if item.get_closest_marker(MARK) is not None:
        _proof_of(item).take(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """The figures; and the page, if it was asked for and there is nothing to hide."""
    figures, seconds = config.stash[FIGURES], time.monotonic() - config.stash[STARTED]
    if figures.proofs:
        terminalreporter.section(f"proof: {figures.effort}, --proof-seed={figures.seed}, {seconds:.0f} s")
        terminalreporter.write_line(figures.as_text())
    if not config.getoption("--write-reliability"):
        return
    if exitstatus != pytest.ExitCode.OK:
        terminalreporter.write_line(f"{PAGE} is not written: something failed")
        return
    passed = len(terminalreporter.stats.get("passed", ()))
    (config.rootpath / PAGE).write_text(figures.as_markdown(tests=passed, seconds=seconds), encoding="utf-8")
    terminalreporter.write_line(f"{PAGE} is written")
