"""The benchmarks run, and what they find of ours is what the README and the documentation say."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from pathlib import Path

import attrs
import pytest

from benchmarks import fairness, floor, nesting_cost, recording, report, semantics, stations
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.contenders import CONTENDERS, Apsw, Contender, Ours, Sqlite3
from benchmarks.locking import observed
from benchmarks.measuring import Comparison, Curve, Goal, Sizes
from benchmarks.rows import DifferentRowsError, validate_same_rows
from benchmarks.semantics import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ours_keeps_every_promise(scenario: Scenario) -> None:
    (finding,) = semantics.findings([Ours], [scenario])

    assert finding.verdict == "kept", finding.observed


@pytest.mark.parametrize("contender", [Apsw, Sqlite3])
def test_the_scenarios_can_fail(contender: type[Contender]) -> None:
    verdicts = {finding.promise: finding.verdict for finding in semantics.findings([contender])}

    assert verdicts["swallowed_rollback"] == "broken"
    assert verdicts["stray_commit_then_exception"] == "broken"
    assert "kept" in verdicts.values()
    assert "crashed" not in verdicts.values()


def test_a_scenario_that_crashes_prints_what_was_raised() -> None:
    def crash(subject: Contender) -> semantics.Answer:
        subject.execute("SELECT * FROM nowhere")
        return True, ""

    (finding,) = semantics.findings([Sqlite3], [crash])

    assert finding.verdict == "crashed"
    assert "no such table: nowhere" in finding.observed


def test_a_peer_that_is_not_installed_is_named_so() -> None:
    class Missing(Sqlite3):
        name = "missing"

        @staticmethod
        def installed() -> str | None:
            return None

    (finding,) = semantics.findings([Missing], SCENARIOS[:1])

    assert finding.verdict == "not installed"


def test_the_table_has_a_row_per_promise_and_a_column_per_installed_contender() -> None:
    found = [
        semantics.Finding(scenario.__name__, contender.name, "broken", "why")
        for scenario in SCENARIOS
        for contender in CONTENDERS
    ]

    header, _, *rows = semantics.as_markdown(found).splitlines()

    assert len(rows) == len(SCENARIOS)
    assert {row.count("|") for row in [header, *rows]} == {2 + sum(one.installed() is not None for one in CONTENDERS)}


def test_nesting_cost_is_measured_and_written(tmp_path: Path) -> None:
    found = nesting_cost.costs([Ours, Apsw], rounds=1, blocks=3, siblings=(2,), depths=(2,))
    figures = tmp_path / "figures.json"
    nesting_cost.write_json(found, str(figures))

    assert set(json.loads(figures.read_text())["nested_us"]) == {Ours.name, Apsw.name}
    assert "2 siblings" in nesting_cost.as_text(found)


@pytest.mark.parametrize("writer", fairness.WRITERS)
def test_fairness_counts_what_every_process_did(writer: str) -> None:
    report = fairness.contest(writer, processes=2, seconds=0.2)

    assert len(report.tallies) == 2
    assert report.units > 0
    assert writer in fairness.as_text([report])


def test_jains_index_tells_fair_from_unfair() -> None:
    def report(*units: int) -> fairness.Report:
        return fairness.Report("", 1, tuple(fairness.Tally(count, 0, Counter()) for count in units))

    assert report(5, 5, 5, 5).jain == 1
    assert report(20, 0, 0, 0).jain == 0.25
    assert report(0, 0).jain == 0


def test_what_recording_costs_is_measured_and_nothing_stays_switched_off(tmp_path: Path) -> None:
    found = recording.costs(assets=60, rounds=1)

    assert min(found.ingest, found.bare_ingest, found.files, found.bare_files, found.wipe, found.undo) > 0
    assert "ingest of 60 drafts" in recording.as_text(found)
    with stations.station("Shows") as station:
        station.ingest("Shows", range(3))
        assert [unit.counts is not None for unit in station.catalog.history(1)] == [True]


SMALL = attrs.evolve(Sizes().scaled(0.001), catalogues=(20, 40), rounds=1, starts=1)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_does_and_finds_something(name: str) -> None:
    if name == "peers":
        pytest.importorskip("sqlalchemy")

    found = BENCHMARKS[name](SMALL)

    assert BENCHMARKS[name].__doc__
    assert found
    assert len(report.as_text(found).splitlines()) == len(found)


def test_files_that_differ_in_one_value_do_not_hold_the_same_rows() -> None:
    with stations.template(3) as some, some.copy() as left, some.copy() as right:
        validate_same_rows(left, right, expect_assets=3)
        other = floor.connect(right)
        other.execute("UPDATE episode SET name = 'another' WHERE id = 1")
        other.close()

        with pytest.raises(DifferentRowsError, match="in episode; only one side has"):
            validate_same_rows(left, right, expect_assets=3)
        with pytest.raises(DifferentRowsError, match="3 assets instead of 4"):
            validate_same_rows(left, left, expect_assets=4)


def test_the_observer_sees_the_lock_while_it_is_held(tmp_path: Path) -> None:
    path = str(tmp_path / "some.db")
    other = floor.connect(path)

    started = time.monotonic()
    with observed(path) as held:
        time.sleep(0.2)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.4)
        other.execute("ROLLBACK")
    other.close()

    assert 0.2 < held.seconds < time.monotonic() - started - 0.1


@pytest.mark.parametrize(
    ("goal", "ours", "other", "figure", "is_met"),
    [
        (Goal("slower", 2), 3, 2, 1.5, True),
        (Goal("slower", 2), 5, 2, 2.5, False),
        (Goal("faster", 2), 2, 3, 1.5, False),
        (Goal("faster", 2), 2, 5, 2.5, True),
        (Goal("faster"), 2, 1, 0.5, True),
        (Goal("part", 2), 1, 100, 1, True),
        (Goal("part", 2), 3, 100, 3, False),
        (Goal("more", 300), 400, 99, 301, False),
        (Goal("more", 300), 400, 101, 299, True),
    ],
)
def test_a_goal_is_held_against_medians(goal: Goal, ours: float, other: float, figure: float, is_met: bool) -> None:
    comparison = Comparison("what", "against", goal, [ours, ours, 1000], [other, other, 0.001])

    assert comparison.figure == figure
    assert comparison.is_met is is_met


def test_what_was_asked_besides_counts_too() -> None:
    assert not Comparison("rescan", "walk", Goal("slower", 2), [1], [1], broken="something was written").is_met


@pytest.fixture
def some_report() -> report.Report:
    return report.report_of(
        [
            Comparison("wipe", "bare", Goal("slower", 2.2, aim=1.7), [3.0], [1.0], note="how"),
            Comparison("peak", "list", Goal("more", 300.0), [3.0], [1.0], unit="MB"),
            Curve("time", "ingest", "µs", [(10, 1.0), (100, 1.5)]),
            Curve("size", "undo store", "bytes", [(10, 10.0), (100, 11.0)]),
        ],
        seconds=60,
    )


def test_a_report_comes_back_from_its_json(some_report: report.Report) -> None:
    text = report.as_json(some_report)

    assert report.as_json(report.from_json(text)) == text


def test_the_page_gets_the_table_and_keeps_its_words(some_report: report.Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")

    report.write(some_report, str(tmp_path))
    first = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")}
    report.write(some_report, str(tmp_path))

    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")} == first
    assert {"performance.json", "performance.md", "performance-time.svg", "performance-size.svg"} == first.keys()
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "1 of 2 goals are met" in text
    assert "| wipe | bare | ≤ 2.2 ×, aim 1.7 | 3.00 ×, **missed** | 3.00 s | 1.00 s | how |" in text  # noqa: RUF001
    assert platform.node() not in text


def test_the_page_in_the_documentation_shows_the_figures_beside_it() -> None:
    docs = Path(__file__).parent.parent / "docs"
    measured = report.from_json((docs / report.JSON).read_text(encoding="utf-8"))

    assert report.as_markdown(measured) in (docs / report.PAGE).read_text(encoding="utf-8")
    assert all((docs / path).is_file() for path, _ in report.PLOTS.values())


def test_another_report_is_run_by_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["nesting_cost", "--rounds", "1", "--blocks", "2"])

    assert "per nested block with one INSERT" in capsys.readouterr().out


def test_a_selection_is_printed_and_written_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    main(["opening", "--scale", "0.01", "--starts", "1"])

    assert capsys.readouterr().out.startswith("opening an existing catalogue: ")
