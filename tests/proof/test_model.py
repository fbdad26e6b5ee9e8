"""Whatever is done in whatever order, the catalogue holds what a plain model of it holds, and the journal adds up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from harness import draft, operations_of_catalog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from proof import model
from proof.figures import Effort, Proof, Size
from proof.machine import Machine, model_lines

from retrovue_uow import AssetSelector, Catalog, Collection
from retrovue_uow.testing import FakeImporter

RUNS = 8
STEPS = 40
OUTCOMES = ("done", "dry", "refused", "failed")
SHRINK_S = 20
"""How long a failing run is made shorter, before it is told."""


def run(number: int) -> None:
    """So many runs, the same ones for the same number."""
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def never_done() -> set[str]:
    """Operations that no run has done."""
    return {name for name in operations_of_catalog() if not Machine.reached[name, "done"]}


def never_run() -> list[str]:
    """Lines of the model that no run has reached."""
    lines = Path(model.__file__).read_text(encoding="utf-8").splitlines()
    return [f"{number}: {lines[number - 1].strip()}" for number in sorted(model_lines() - Machine.lines)]


@pytest.mark.proof(
    "Whatever is done in whatever order, the catalogue holds what it should, and each unit is journalled once",
    how="Hypothesis chooses operations, arguments, dry runs, faults at any statement, sessions that end well or not, undos "
    "of any unit, and which of two open catalogues acts, beginning with files that are ingested and approved; what an "
    "operation returns, and after each step the catalogue, is held against a plain model, `check()` against all rules, "
    "and the journal's counts against the tables",
)
def test_the_catalogue_is_always_what_the_model_says(size: Size, figures: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINK_S, raising=False)
    batches = list(size.seeds(sample=3, full=40))
    Machine.reached.clear()
    Machine.became.clear()
    Machine.lines.clear()

    for number in batches:
        run(number)
    reached = ""
    if size.effort is not Effort.PART:
        while (never_done() or never_run()) and len(batches) < 20:  # another seed, another Hypothesis, chooses otherwise
            batches.append(batches[-1] + 1)
            run(batches[-1])
        assert never_done() == set(), "operations for which the machine has no rule, or one that never gets there"
        assert never_run() == [], "branches of the model that no run has reached"
        reached = "every operation was done, and every line of the model reached; "
    figures.add(
        {f"runs of up to {STEPS} steps": len(batches) * RUNS},
        found=f"{reached}operations, each as done/dry run/refused/failed by a fault: {told(Machine.reached)}; "
        f"files {told_of_files(Machine.became)}",
    )


def told(reached: Counter[tuple[str, str]]) -> str:
    """What was tried: how often each operation was done, done as a dry run, refused, and failed by a fault."""
    counts = {name: "/".join(str(reached[name, outcome]) for outcome in OUTCOMES) for name in sorted(operations_of_catalog())}
    return ", ".join(f"`{name}` {numbers}" for name, numbers in counts.items())


def told_of_files(became: Counter[str]) -> str:
    """What ingests found of files, how often."""
    return ", ".join(f"{count:,} {what}" for what, count in became.most_common())


def test_a_file_that_moved_to_a_path_with_a_decision_of_its_own_keeps_what_was_said_of_it(
    catalog: Catalog, collection: Collection, importer: FakeImporter
) -> None:
    importer.drafts = [draft("b.mkv", kind="bumper", size=7, mtime_ns=1)]
    catalog.ingest_collection("Shows")
    catalog.assign(AssetSelector(path="*b.mkv"), kind="promo")
    catalog.wipe_collection("Shows")
    importer.drafts = [draft("a.mkv", kind="bumper", mtime_ns=1)]
    catalog.ingest_collection("Shows")
    catalog.assign(AssetSelector(path="*a.mkv"), kind="psa")

    importer.drafts = [draft("b.mkv", kind="bumper", mtime_ns=1)]
    assert catalog.ingest_collection("Shows").moved == 1
    assert [asset.kind for asset in catalog.assets("Shows")] == ["psa"]
