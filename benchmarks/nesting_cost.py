"""What one nested block with one INSERT costs, inside one open outer unit: ours and its peers, in one process, by turns.

python -m benchmarks nesting_cost [--rounds N] [--blocks N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from benchmarks.contenders import CONTENDERS, Apsw, Beets, Contender, Ours, Sqlite3, opened

INSERT = "INSERT INTO line (text) VALUES ('a line')"
YARDSTICK = Apsw.name
NESTING = tuple(contender for contender in CONTENDERS if contender not in {Beets, Sqlite3})  # these do not nest


@attrs.frozen
class Costs:
    """Microseconds per block, medians over the rounds.

    Attributes:
        nested_us: By contender, for one nested block with one INSERT.
        siblings_us: Ours, by number of siblings in one unit.
        depth_us: Ours, by depth, each level one INSERT.
    """

    nested_us: Mapping[str, float]
    siblings_us: Mapping[int, float]
    depth_us: Mapping[int, float]


def siblings_us(subject: Contender, blocks: int) -> float:
    """Time per nested block, one after the other in one outer unit."""
    with subject.unit():
        started = time.perf_counter()
        for _ in range(blocks):
            with subject.nested():
                subject.execute(INSERT)
        return (time.perf_counter() - started) / blocks * 1e6


def depth_us(subject: Contender, depth: int, *, times: int) -> float:
    """Time per nested block, one inside the other in one outer unit, over and over."""
    with subject.unit():
        started = time.perf_counter()
        for _ in range(times):
            with ExitStack() as stack:
                for _ in range(depth):
                    stack.enter_context(subject.nested())
                    subject.execute(INSERT)
        return (time.perf_counter() - started) / (depth * times) * 1e6


def by_turns(contenders: Sequence[type[Contender]], *, rounds: int, blocks: int) -> dict[str, float]:
    """The median of each contender; they take turns, so that whatever else the machine does falls on all alike."""
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        subjects = [
            stack.enter_context(opened(contender, str(Path(folder) / f"{number}.db")))
            for number, contender in enumerate(contenders)
        ]
        for _ in range(rounds):
            for subject in subjects:
                taken[subject.name].append(siblings_us(subject, blocks))
    return {name: statistics.median(times) for name, times in taken.items()}


def costs(
    contenders: Sequence[type[Contender]] = NESTING,
    *,
    rounds: int = 15,
    blocks: int = 1000,
    siblings: Sequence[int] = (1000, 10_000),
    depths: Sequence[int] = (1, 10, 50, 100),
) -> Costs:
    """All the figures, of the contenders that are installed."""
    nested = by_turns([one for one in contenders if one.installed()], rounds=rounds, blocks=blocks)
    with tempfile.TemporaryDirectory() as folder, opened(Ours, str(Path(folder) / "ours.db")) as ours:
        wide = {count: [siblings_us(ours, count) for _ in range(min(rounds, 5))] for count in siblings}
        deep = {depth: [depth_us(ours, depth, times=max(1, blocks // depth)) for _ in range(rounds)] for depth in depths}
    return Costs(nested, _medians(wide), _medians(deep))


def _medians(taken: Mapping[int, Sequence[float]]) -> dict[int, float]:
    return {size: statistics.median(times) for size, times in taken.items()}


def as_text(found: Costs) -> str:
    """The table; the ratio is to APSW's own `with connection:`."""
    yardstick = found.nested_us[YARDSTICK]
    lines = [f"{'per nested block with one INSERT':34}     µs  ratio"]
    for name, micros in sorted(found.nested_us.items(), key=lambda item: item[1]):
        lines.append(f"{name:34} {micros:6.1f} {micros / yardstick:6.2f}")
    lines += ["", "ours, per block"]
    lines += [f"{count:10,} siblings {micros:21.1f}" for count, micros in found.siblings_us.items()]
    lines += [f"{depth:10,} deep {micros:25.1f}" for depth, micros in found.depth_us.items()]
    return "\n".join(lines)


def write_json(found: Costs, path: str) -> None:
    """The figures, for whoever compares them over time."""
    Path(path).write_text(json.dumps(attrs.asdict(found), indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what nesting costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks nesting_cost", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--blocks", type=int, default=1000, help="nested blocks per round")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    found = costs(rounds=options.rounds, blocks=options.blocks)
    sys.stdout.write(as_text(found) + "\n")
    if options.json:
        write_json(found, options.json)


if __name__ == "__main__":
    main()
