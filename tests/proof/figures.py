"""What the proof tried, and what came of it."""

from __future__ import annotations

import enum
import os
import platform
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import apsw
import attrs
import hypothesis
import pytest

T = TypeVar("T")
_SHOWN = 4
"""How many tests of one promise the page links to by name; of more, it links to the files."""


class Effort(enum.StrEnum):
    """How much is tried; a part is a third of what a sample draws."""

    PART = "part"
    SAMPLE = "sample"
    FULL = "full"


@attrs.frozen
class Size:
    """How much one test tries, and, where it is not all, which part.

    Attributes:
        seed: The run's (`--proof-seed`).
        test: The test's name: each has a sample of its own.
    """

    effort: Effort
    seed: int
    test: str

    def choose(self, *, sample: int, full: int) -> int:
        """So many in a sample, so many in full."""
        return full if self.effort is Effort.FULL else sample

    def some(self, points: Iterable[T], sample: int) -> list[T]:
        """All of the points, or a sample of so many, in their order."""
        all_of_them, most = list(points), self.most(sample)
        if most is None or len(all_of_them) <= most:
            return all_of_them
        chosen = random.Random(f"{self.seed} {self.test}").sample(range(len(all_of_them)), most)
        return [all_of_them[position] for position in sorted(chosen)]

    def most(self, sample: int) -> int | None:
        """The most of something to try: None, if all are."""
        return {Effort.PART: max(1, sample // 3), Effort.SAMPLE: sample, Effort.FULL: None}[self.effort]

    def seeds(self, *, sample: int, full: int) -> range:
        """Seeds for so many runs at random; with another `--proof-seed`, others."""
        first = 1000 * self.seed
        return range(first, first + (self.most(sample) or full))


@attrs.define
class Proof:
    """One promise, how it is tested, and what the run has found of it.

    Attributes:
        tried: What was tried, counted.
        found: What the tests say that came of it, beyond that the promise was kept.
        tests: The tests that ran, as `tests/file.py#name`, without what they were parametrised with.
        runs: How many of them ran, each set of parameters by itself.
        broken: Those that failed or were skipped, whole.
        seconds: How long they took.
    """

    promise: str
    how: str
    tried: Counter[str] = attrs.field(factory=Counter)
    found: list[str] = attrs.field(factory=list)
    tests: dict[str, None] = attrs.field(factory=dict)
    runs: int = 0
    broken: dict[str, None] = attrs.field(factory=dict)
    seconds: float = 0

    def add(self, tried: Mapping[str, int], *, found: str = "") -> None:
        """Count what a test tried; told by the test itself, as it goes or at its end."""
        self.tried.update(tried)
        if found:
            self.found.append(found)

    def take(self, report: pytest.TestReport) -> None:
        """Take note of how a phase of a test ended."""
        self.seconds += report.duration
        if report.when == "call":
            self.runs += 1
        if report.when == "setup":
            file, _, name = report.nodeid.partition("::")
            self.tests[f"{file}#{name.partition('[')[0].rpartition('::')[2]}"] = None
        if not report.passed:
            self.broken[report.nodeid] = None

    @property
    def told(self) -> str:
        """What was tried, in figures."""
        tests = {"tests": self.runs} if self.runs > 1 or not self.tried else {}
        return ", ".join(f"{count:,} {name}" for name, count in {**tests, **self.tried}.items())

    @property
    def result(self) -> str:
        """Whether the promise was kept, and what else was found."""
        if self.broken:
            return f"BROKEN in {len(self.broken)} of {max(self.runs, len(self.broken))} tests"
        return "; ".join(["kept", *dict.fromkeys(self.found)])

    @property
    def links(self) -> str:
        """To the tests, from the page; from few to each, from more to their files."""
        if len(self.tests) > _SHOWN:
            files = dict.fromkeys(test.partition("#")[0] for test in self.tests)
            return ", ".join(f"[{Path(file).stem.removeprefix('test_')}](../{file})" for file in files)
        names = ["test"] if len(self.tests) == 1 else [f"test {number}" for number in range(1, len(self.tests) + 1)]
        return ", ".join(f"[{name}](../{test})" for name, test in zip(names, self.tests, strict=True))


@attrs.define
class Figures:
    """All that was tried in one run.

    Attributes:
        proofs: By promise.
        gaps: What is known not to hold yet, or could not be tried here: the reason by test.
    """

    effort: Effort = Effort.SAMPLE
    seed: int = 0
    proofs: dict[str, Proof] = attrs.field(factory=dict)
    gaps: dict[str, str] = attrs.field(factory=dict)

    def proof(self, promise: str, *, how: str = "") -> Proof:
        """The one of that promise; whichever of its tests is the first says how."""
        found = self.proofs.setdefault(promise, Proof(promise, how))
        found.how = found.how or how
        return found

    def note_gap(self, report: pytest.TestReport) -> None:
        """Keep a test that is expected to fail, or was skipped."""
        if report.skipped:
            reason = report.wasxfail if hasattr(report, "wasxfail") else report.longrepr
            self.gaps[report.nodeid] = str(reason[-1] if isinstance(reason, tuple) else reason)

    def as_text(self) -> str:
        """For the terminal."""
        return "\n".join(
            f"{each.promise}\n    {each.told}; {each.seconds:.0f} s: {each.result}" for each in self.proofs.values()
        )

    def as_markdown(self, *, tests: int, seconds: float) -> str:
        """The page."""
        rows = [
            f"| {proof.promise} | {proof.how} ({proof.links}) | {proof.told} | {proof.result} | {proof.seconds:,.0f} s |"
            for proof in self.proofs.values()
        ]
        gaps = [f"- `{test}`: {reason}" for test, reason in self.gaps.items()]
        return _PAGE.format(
            effort=self.effort,
            remark=_REMARKS[self.effort],
            tests=tests,
            minutes=round(seconds / 60),
            cores=os.cpu_count(),
            seed=self.seed,
            versions=_versions(),
            today=datetime.now(UTC).date().isoformat(),
            rows="\n".join(rows),
            gaps="\n".join(gaps) or "Nothing that these tests have found.",
        )


def _versions() -> str:
    return (
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, APSW {apsw.apsw_version()}, "
        f"Hypothesis {hypothesis.__version__}"
    )


_SAMPLE = "**This is a sample**, drawn by the seed: `--proof=full` tries everything."
_REMARKS = {
    Effort.PART: _SAMPLE,
    Effort.SAMPLE: _SAMPLE,
    Effort.FULL: "A plain `pytest` runs the same tests and tries a sample in each, drawn by `--proof-seed`.",
}
_PAGE = """# What the promises are tested with

Written by the tests themselves, at the end of `pytest --proof={effort} --write-reliability`: {tests:,} tests passed in
{minutes} minutes, on one of {cores} cores. {versions}; seed {seed}; {today}.
{remark}

| promise | how it is tested | tried | result | time |
|---|---|---|---|---|
{rows}

## What is not proven here

Expected to fail, or not possible on that machine:

{gaps}

What no test can tell is whether the disk at hand does what it says when SQLite asks for a sync
(<https://www.sqlite.org/howtocorrupt.html>, section 3.1). A cut of the power is simulated.
"""
