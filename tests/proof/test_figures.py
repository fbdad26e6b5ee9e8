"""The figures tell what the run found: a sample is the same for the same seed, and a broken promise is no success."""

from __future__ import annotations

from pathlib import Path

import pytest
from proof.figures import Effort, Figures, Size

pytest_plugins = ["pytester"]
TESTS = str(Path(__file__).parents[1])
CONFTEST = """
from proof.hooks import (
    figures, pytest_addoption, pytest_configure, pytest_runtest_makereport, pytest_terminal_summary, size
)
"""
SUITE = """
import pytest

@pytest.mark.proof("It holds", how="by looking")
@pytest.mark.parametrize("point", [1, 2])
def test_it_holds(figures, size, point):
    figures.add({"points": size.choose(sample=3, full=1000)}, found="as it should")
    assert point != BROKEN_AT

@pytest.mark.xfail(reason="not yet", strict=True)
def test_known_gap():
    assert False
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of its own with the same hooks, and a folder for the page."""
    monkeypatch.syspath_prepend(TESTS)
    monkeypatch.setenv("PYTHONPATH", TESTS)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE.replace("BROKEN_AT", "None"))
    pytester.mkdir("docs")
    return pytester


WHOLE = ("--proof=full", "--write-reliability", "-p", "no:cacheprovider")


def test_a_whole_run_writes_the_page(suite: pytest.Pytester) -> None:
    suite.runpytest_subprocess(*WHOLE).assert_outcomes(passed=2, xfailed=1)

    page = (suite.path / "docs" / "reliability.md").read_text(encoding="utf-8")
    row = "| It holds | by looking ([test](../test_a_whole_run_writes_the_page.py#test_it_holds)) | 2 tests, 2,000 points |"
    assert f"{row} kept; as it should | 0 s |" in page
    assert "- `test_a_whole_run_writes_the_page.py::test_known_gap`: not yet" in page


def test_a_broken_promise_is_told_and_no_page_written(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE.replace("BROKEN_AT", "2"))

    result = suite.runpytest_subprocess(*WHOLE)

    result.assert_outcomes(passed=1, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["It holds", "*2 tests, 2,000 points*: BROKEN in 1 of 2 tests", "*is not written*"])
    assert not (suite.path / "docs" / "reliability.md").exists()


@pytest.mark.parametrize("arguments", [[], ["--proof=full", "-k", "holds"], ["--proof=full", "-x"], ["--proof=full", "docs"]])
def test_the_page_is_refused_for_a_part_of_the_run(suite: pytest.Pytester, arguments: list[str]) -> None:
    with pytest.raises(pytest.UsageError, match="tells of a whole run"):
        suite.parseconfigure("--write-reliability", *arguments)


def test_a_sample_is_in_order_and_depends_on_seed_and_test_alone() -> None:
    def drawn(seed: int, test: str) -> list[int]:
        return Size(Effort.SAMPLE, seed, test).some(range(1000), 20)

    assert drawn(0, "one") == drawn(0, "one") == sorted(drawn(0, "one"))
    assert len({tuple(drawn(seed, test)) for seed in (0, 1) for test in ("one", "two")}) == 4
    assert Size(Effort.FULL, 0, "one").some(range(1000), 20) == list(range(1000))


def test_what_the_tests_of_one_promise_tried_adds_up() -> None:
    figures = Figures()

    for kind in ("first", "second"):
        figures.proof("It holds", how=kind).add({"faults": 10, kind: 1})

    assert figures.proof("It holds").told == "20 faults, 1 first, 1 second"
    assert figures.proof("It holds").how == "first"
