"""What the proof tried, and what came of it."""

from __future__ import annotations

import enum
import platform
from datetime import UTC, datetime
from pathlib import Path

import apsw
import attrs
import hypothesis
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


class Size(enum.StrEnum):
    """How much is tried."""

    SAMPLE = "sample"
    FULL = "full"

    def choose(self, *, sample: int, full: int) -> int:
        """So many in a sample, so many in full."""
        return full if self is Size.FULL else sample


@attrs.frozen
class Line:
    """One promise: the test of it, as `file.py#name` below `tests/proof`, what was tried, and what came of it."""

    promise: str
    how: str
    test: str
    tried: str
    result: str


@attrs.define
class Figures:
    """All that was tried in one run."""

    size: Size = Size.SAMPLE
    lines: list[Line] = attrs.field(factory=list)
    expected_failures: list[str] = attrs.field(factory=list)

    def add(self, promise: str, *, how: str, test: str, tried: str, result: str) -> None:
        """Keep a line for the end of the run."""
        self.lines.append(Line(promise, how, test, tried, result))

    def expect_failure(self, node: str, reason: str) -> None:
        """Keep what is known not to hold yet, if it is one of the proof's tests."""
        file, _, test = node.partition("::")
        if file.startswith("tests/proof/"):
            promise = test.removeprefix("test_").replace("_", " ")
            self.expected_failures.append(f"- [{promise}](../{file}#{test}): {reason}")

    def as_text(self) -> str:
        """For the terminal."""
        return "\n".join(f"{line.promise}\n    {line.tried}: {line.result}" for line in self.lines)

    def as_markdown(self) -> str:
        """The page."""
        rows = [
            f"| {line.promise} | {line.how} ([test](../tests/proof/{line.test})) | {line.tried} | {line.result} |"
            for line in self.lines
        ]
        return _PAGE.format(
            size=self.size,
            versions=_versions(),
            today=datetime.now(UTC).date().isoformat(),
            rows="\n".join(rows),
            gaps="\n".join(self.expected_failures) or "Nothing that these tests have found.",
        )


def _versions() -> str:
    return (
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, APSW {apsw.apsw_version()}, "
        f"Hypothesis {hypothesis.__version__}"
    )


KEY = pytest.StashKey[Figures]()
_PAGE = """# What the promises are tested with

Written by the tests themselves: `pytest tests/proof --proof={size} --write-reliability`. A plain `pytest` tries a sample of it.
{versions}, {today}.

| promise | how it is tested | tried | result |
|---|---|---|---|
{rows}

## What does not hold yet

{gaps}

## What is not tested here

What these tests cannot tell is whether the disk at hand does what it says when SQLite asks for a sync
(<https://www.sqlite.org/howtocorrupt.html>, section 3.1). The rest of the contract, operation by operation and statement by
statement, is in `tests/contract` and `tests/store`.
"""
