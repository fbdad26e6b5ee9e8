"""What a benchmark is measured by, at which sizes, and what comes of it."""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import attrs

Kind = Literal["slower", "faster", "part", "more"]


class Taken(NamedTuple):
    """Seconds that work took: by the clock, and of a core, those of the processes that it started and ended included."""

    clock: float
    cpu: float


Measure = Callable[[], Taken]
"""Does a piece of work and says what it took."""


@attrs.frozen
class Goal:
    """What is asked of ours and the other side.

    Attributes:
        kind: `slower`: ours takes at most `limit` times as long; `faster`: the other takes at least `limit` times as long;
            `part`: ours is at most so many per cent of the other; `more`: at most so much more.
        limit: None: nothing is asked, it is only shown.
        aim: What would be better still.
    """

    kind: Kind
    limit: float | None = None
    aim: float | None = None

    def figure(self, ours: float, other: float) -> float:
        """What is held against the limit."""
        if self.kind == "more":
            return ours - other
        if self.kind == "faster":
            return other / ours
        return ours / other * (100 if self.kind == "part" else 1)

    def is_met(self, figure: float) -> bool:
        """Whether the figure is within the limit."""
        if self.limit is None:
            return True
        return figure >= self.limit if self.kind == "faster" else figure <= self.limit


@attrs.frozen
class Comparison:
    """A row of the table.

    Attributes:
        what: What ours did.
        against: What it is held against.
        ours: In `unit`, one per round; seconds are by the clock.
        other: Likewise.
        ours_cpu: The same seconds of a core, where they were measured: then it is these that are held against the goal.
        other_cpu: Likewise.
        note: What one has to know of how it was measured.
        broken: What was asked besides, and does not hold.
    """

    what: str
    against: str
    goal: Goal
    ours: Sequence[float]
    other: Sequence[float]
    unit: Literal["s", "MB"] = "s"
    note: str = ""
    broken: str = ""
    ours_cpu: Sequence[float] = ()
    other_cpu: Sequence[float] = ()

    @property
    def figure(self) -> float:
        """Medians, compared as the goal compares them."""
        return self.goal.figure(statistics.median(self.ours_cpu or self.ours), statistics.median(self.other_cpu or self.other))

    @property
    def is_met(self) -> bool:
        """Whether the goal is met, and what was asked besides."""
        return not self.broken and self.goal.is_met(self.figure)


def compared(
    what: str, against: str, goal: Goal, ours: Sequence[Taken], other: Sequence[Taken], *, note: str = "", broken: str = ""
) -> Comparison:
    """The row of two measures of time."""
    return Comparison(
        what,
        against,
        goal,
        [taken.clock for taken in ours],
        [taken.clock for taken in other],
        note=note,
        broken=broken,
        ours_cpu=[taken.cpu for taken in ours],
        other_cpu=[taken.cpu for taken in other],
    )


@attrs.frozen
class Curve:
    """A line of a plot.

    Attributes:
        plot: Which one: `time` or `size`.
        unit: Of the values, each of which is per asset.
        points: Assets in the catalogue, and the value.
    """

    plot: Literal["time", "size"]
    name: str
    unit: str
    points: Sequence[tuple[int, float]]


@attrs.frozen
class Sizes:
    """How much each benchmark does; the defaults are those of the published figures."""

    ingest: int = 20_000
    peers: int = 20_000
    wipe: int = 100_000
    rescan: int = 100_000
    memory: int = 100_000
    probe: int = 1_000
    names: int = 10_000
    guesses: int = 500
    one_step: int = 1_000
    few: int = 100
    doubled: int = 5_000
    refreshed: int = 12_000
    merged: int = 25_000
    assigned: int = 9_000
    explained: int = 40_000
    catalogues: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    rounds: int = 5
    starts: int = 30

    def scaled(self, factor: float) -> Sizes:
        """As many rounds, with smaller or larger work."""

        def scale(size: int) -> int:
            return max(20, round(size * factor))

        sizes = {name: scale(getattr(self, name)) for name in _SCALABLE}
        return attrs.evolve(self, **sizes, catalogues=tuple(map(scale, self.catalogues)))


_SCALABLE = (
    *("ingest", "peers", "wipe", "rescan", "memory", "probe", "names", "guesses", "one_step", "few", "doubled"),
    *("refreshed", "merged", "assigned", "explained"),
)


def now() -> Taken:
    """To be given to `since`."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime)


def since(started: Taken) -> Taken:
    """What was taken since then."""
    ended = now()
    return Taken(ended.clock - started.clock, ended.cpu - started.cpu)


def timed(work: Callable[[], object]) -> Taken:
    """What `work` takes."""
    gc.collect()
    started = now()
    work()
    return since(started)


def by_turns(other: Measure, ours: Measure, *, rounds: int, warm_ups: int = 1) -> tuple[list[Taken], list[Taken]]:
    """What ours and the other take, alternating, so that whatever else the machine does falls on both."""
    taken: tuple[list[Taken], list[Taken]] = ([], [])
    gc.collect()
    gc.freeze()  # what was there before is no part of either side
    try:
        for _ in range(warm_ups + rounds):
            for side, measure in ((1, other), (0, ours)):
                taken[side].append(measure())
    finally:
        gc.unfreeze()
    return taken[0][warm_ups:], taken[1][warm_ups:]
