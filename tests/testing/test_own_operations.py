"""The proof kit on every public operation of the library: a sample of faults, or with `--proof=full` all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cases import CASES, Case, stock
from harness import FakeEnricher, FakeImporter, operations_of_catalog

from retrovue_uow import Catalog, IngestError
from retrovue_uow.testing import Report

Prove = Callable[..., Report]


def ingested_source(catalog: Catalog) -> object:
    """One enabled collection is one unit; that it failed is reported, so raise it."""
    outcome = catalog.ingest_source("station")
    if outcome.failures:
        raise IngestError(outcome.failures[0].message, operation="source_ingest", phase="execution", cause=RuntimeError())
    return outcome


ALL = {**CASES, "ingest_source": Case(ingested_source, IngestError)}


def test_every_operation_is_proven() -> None:
    assert set(operations_of_catalog()) <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_operation_is_atomic(
    catalog: Catalog, importer: FakeImporter, enricher: FakeEnricher, media: Path, prove: Prove, name: str
) -> None:
    stock(catalog, importer, media)
    enricher.seen.clear()

    report = prove(catalog, ALL[name].run)

    assert report.unreached == 0
