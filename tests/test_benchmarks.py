"""The benchmarks run, and what they find of ours is what the README and the documentation say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import fairness, nesting_cost, recording, semantics, stations
from benchmarks.contenders import CONTENDERS, Apsw, Contender, Ours, Sqlite3
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
    found = recording.costs(assets=60, few=20, many=40, rounds=1)

    assert min(found.ingest, found.bare_ingest, found.files, found.bare_files, found.wipe, found.undo) > 0
    assert found.small.keys() == found.large.keys()
    assert "among 40" in recording.as_text(found)
    with stations.station("Shows") as station:
        station.ingest("Shows", range(3))
        assert [unit.counts is not None for unit in station.catalog.history(1)] == [True]
