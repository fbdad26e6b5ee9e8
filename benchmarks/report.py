"""What was measured, for people: JSON, a table, and plots."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import apsw
import attrs
import cattrs

from benchmarks.measuring import Comparison, Curve

JSON, PAGE = "performance.json", "performance.md"
PLOTS: Mapping[str, tuple[str, str]] = {
    "time": ("images/performance-time.svg", "µs per asset"),
    "size": ("images/performance-size.svg", "bytes per asset"),
}
"""File and axis by plot."""
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_TIMES = "×"  # noqa: RUF001  the sign, not the letter
_PACKAGES = ("retrovue_uow", "apsw", "attrs", "cattrs", "loguru", "click", "guessit")
_PEERS = ("sqlalchemy", "django", "peewee", "sqlite-utils")


@attrs.frozen
class Report:
    """Everything of one run.

    Attributes:
        date: UTC.
        machine: Cores, processor, memory, system.
        versions: By what they are of.
        seconds: That all of it took.
        load: How many processes wanted a core, its own included, on average over its last 15 minutes.
    """

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    seconds: int
    load: float
    comparisons: Sequence[Comparison]
    curves: Sequence[Curve]


def report_of(found: Sequence[Comparison | Curve], *, seconds: float) -> Report:
    """What was found, with when, where and with what."""
    return Report(
        datetime.now(UTC).date().isoformat(),
        machine(),
        versions(),
        round(seconds),
        round(os.getloadavg()[2], 1),
        [each for each in found if isinstance(each, Comparison)],
        [each for each in found if isinstance(each, Curve)],
    )


def machine() -> dict[str, str]:
    """What the figures depend on, and nothing that names the machine."""
    models = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": models[0] if models else platform.machine(),
        "memory": f"{memory:.0f} GiB",
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Of Python, both copies of SQLite, and every package that took part."""
    sqlite3 = importlib.import_module("sqlite3")
    found = {
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "SQLite of the peers": str(sqlite3.sqlite_version),
    }
    for package in (*_PACKAGES, *_PEERS):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def as_json(report: Report) -> str:
    """The report as text that `from_json` reads; each comparison also has what is made of it."""
    content: dict[str, Any] = cattrs.unstructure(report)
    for row, comparison in zip(content["comparisons"], report.comparisons, strict=True):
        row |= {"figure": comparison.figure, "is_met": comparison.is_met}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Report:
    """The report that `as_json` wrote."""
    return cattrs.structure(json.loads(text), Report)


def as_text(found: Sequence[Comparison | Curve]) -> str:
    """A line per figure."""
    return "\n".join(_line(each) for each in found)


def _line(each: Comparison | Curve) -> str:
    if isinstance(each, Curve):
        values = ", ".join(f"{size:,}: {value:.1f}" for size, value in each.points)
        return f"{each.name}, {each.unit} per asset in a catalogue of {values}"
    ours, other = _side(each.ours, each.ours_cpu, each.unit), _side(each.other, each.other_cpu, each.unit)
    return f"{each.what}: {ours}, {each.against}: {other}: {_figure(each)} ({_goal(each)}: {_verdict(each)})"


def as_markdown(report: Report) -> str:
    """The table and the plots, and what they were measured with."""
    met = sum(each.is_met for each in report.comparisons if each.goal.limit is not None)
    asked = sum(each.goal.limit is not None for each in report.comparisons)
    cores, processor, memory = (report.machine[name] for name in ("cores", "processor", "memory"))
    summary = (
        f"{met} of {asked} goals are met. Measured on {report.date}, {cores} cores ({processor}), {memory}, "
        f"{report.machine['system']}, in {report.seconds / 60:.0f} minutes with a load of {report.load:.1f}:"
    )
    lines = [
        summary,
        "",
        "| what | against | goal | measured | ours | the other | how |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in report.comparisons:
        cells = (
            each.what,
            each.against,
            _goal(each),
            f"{_figure(each)}, {_verdict(each)}" if each.goal.limit is not None else _figure(each),
            _side(each.ours, each.ours_cpu, each.unit),
            _side(each.other, each.other_cpu, each.unit),
            each.note,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"Versions: {', '.join(f'{name} {number}' for name, number in report.versions.items())}."]
    for plot, (path, axis) in PLOTS.items():
        names = ", ".join(curve.name for curve in report.curves if curve.plot == plot)
        lines += ["", f"![{axis} against the assets in the catalogue: {names}]({path})"]
    return "\n".join(lines)


def _goal(comparison: Comparison) -> str:
    goal = comparison.goal
    if goal.limit is None:
        return "none"
    text = {
        "slower": f"≤ {goal.limit:g} {_TIMES}",
        "faster": f"≥ {goal.limit:g} {_TIMES} faster",
        "part": f"≤ {goal.limit:g} %",
        "more": f"≤ {goal.limit:g} {comparison.unit} more",
    }[goal.kind]
    return f"{text}, aim {goal.aim:g}" if goal.aim is not None else text


def _figure(comparison: Comparison) -> str:
    figure = comparison.figure
    return {
        "slower": f"{figure:.2f} {_TIMES}",
        "faster": f"{figure:.1f} {_TIMES} faster",
        "part": f"{figure:.2f} %",
        "more": f"{_amount([figure], comparison.unit)} more",
    }[comparison.goal.kind]


def _verdict(comparison: Comparison) -> str:
    if comparison.is_met:
        return "met"
    return f"**missed**: {comparison.broken}" if comparison.broken else "**missed**"


def _side(values: Sequence[float], cpu: Sequence[float], unit: str) -> str:
    """Seconds of a core, where they were measured, and those by the clock."""
    amount = _amount(values, unit)
    return f"{_amount(cpu, unit)} CPU, {amount}" if cpu else amount


def _amount(values: Sequence[float], unit: str) -> str:
    value = statistics.median(values)
    if unit == "MB":
        return f"{value:.0f} MB"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def write(report: Report, folder: str) -> None:
    """The figures as JSON, the plots, and the table into the page, between its two marks."""
    Path(folder, JSON).write_text(as_json(report), encoding="utf-8")
    page = Path(folder, PAGE)
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{as_markdown(report)}\n{END}{after}", encoding="utf-8")
    for plot, (path, axis) in PLOTS.items():
        draw([curve for curve in report.curves if curve.plot == plot], axis, str(Path(folder, path)))


def draw(curves: Sequence[Curve], axis: str, path: str) -> None:
    """A plot of lines over the number of assets; the same curves give the same file."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    plots = importlib.import_module("matplotlib.pyplot")
    with matplotlib.rc_context({"svg.hashsalt": axis, "svg.fonttype": "none"}):
        figure, axes = plots.subplots(figsize=(8, 4.5), layout="constrained")
        for curve in curves:
            sizes, values = zip(*curve.points, strict=True)
            axes.plot(sizes, values, marker="o", label=curve.name)
        axes.set(xscale="log", xlabel="assets in the catalogue", ylabel=axis)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plots.close(figure)
