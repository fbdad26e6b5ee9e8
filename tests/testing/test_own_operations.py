"""The proof kit on every public operation of the library: a sample of faults, or with `--proof=full` all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import CASES, Case, stock
from harness import entry, operations_of_catalog
from proof.figures import Effort, Proof, Size

from retrovue_uow import Catalog, IngestError
from retrovue_uow.testing import FakeEnricher, FakeImporter, assert_atomic
from retrovue_uow.testing.atomic import KINDS

SAMPLE = 2
"""Faults of a kind, and kinds of faults, that are tried at each operation unless all are asked for."""


def ingested_source(catalog: Catalog) -> object:
    """One enabled collection is one unit; that it failed is reported, so raise it."""
    outcome = catalog.ingest_source("station")
    if outcome.failures:
        raise IngestError(outcome.failures[0].message, operation="source_ingest", phase="execution", cause=RuntimeError())
    return outcome


ALL = {**CASES, "ingest_source": Case(ingested_source, IngestError)}


def test_every_operation_is_proven() -> None:
    for name in operations_of_catalog():
        entry(ALL, name, "add to CASES in cases.py how it works on the scene, which `stock` prepares")


@pytest.mark.proof(
    "Every public operation is all or nothing, whatever goes wrong inside",
    how="`assert_atomic` on copies of a catalogue: an error, Ctrl-C, lack of memory or kill -9 at any SQL statement, an I/O "
    "error or full disk at any write, sync, truncation or deletion, temporary files too, an exception, garbage or a hang "
    "at any call of a plugin, a claim that is held or damaged, the file deleted or replaced or a child forked at "
    "any SQL statement; then the rows, `check()`, locks, claims, files, threads and the next run are judged",
)
@pytest.mark.parametrize("name", ALL)
def test_every_operation_is_atomic(
    catalog: Catalog,
    importer: FakeImporter,
    enricher: FakeEnricher,
    media: Path,
    size: Size,
    figures: Proof,
    name: str,
) -> None:
    stock(catalog, importer, media)
    enricher.seen.clear()

    report = assert_atomic(
        catalog,
        ALL[name].run,
        faults=size.some(KINDS, SAMPLE),
        sample=size.most(SAMPLE),
        seed=size.seed,
        workers="auto" if size.effort is Effort.FULL else 1,
    )

    assert report.unreached == 0
    figures.add({"faults": report.faults, **{f"points of kind {kind}": count for kind, count in report.points.items()}})
