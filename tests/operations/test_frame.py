"""The frame of an operation: what its error says, and where it is refused."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import draft

from retrovue_uow import Catalog, Collection, ConflictError, ContractError, OperationError, ResourceError, TransactionLostError
from retrovue_uow.model import Result
from retrovue_uow.store.claims import Claims
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot


class ReviewError(OperationError):
    """Reviewing failed."""


@pytest.mark.parametrize(
    ("failure", "working_on", "said"),
    [
        (LookupError("mine"), None, "review failed in execution: mine"),
        (LookupError(), None, "review failed in execution: LookupError"),
        (LookupError("mine"), "a.mkv", "review failed in execution at 'a.mkv': mine"),
    ],
)
def test_its_error_says_what_failed_where_and_why(
    catalog: Catalog, failure: Exception, working_on: str | None, said: str
) -> None:
    with pytest.raises(ReviewError) as caught, catalog.operation("review", ReviewError) as op:
        with op.preflight():
            pass
        with op.execution():
            op.working_on = working_on
            raise failure

    assert str(caught.value) == said
    assert caught.value.cause is failure


def test_no_phase_begins_before_the_operation_is_entered(catalog: Catalog) -> None:
    op = catalog.operation("review", ReviewError)

    with pytest.raises(ContractError, match="preflight"), op.preflight():
        pytest.fail("the phase began")

    assert not catalog.database.in_unit


def test_a_dry_run_that_fails_inside_a_session_leaves_the_session_usable(catalog: Catalog, collection: Collection) -> None:
    with catalog.session() as db:
        db.execute("UPDATE source SET name = 'kept'")
        with suppress(ReviewError), catalog.operation("review", ReviewError, dry_run=True) as op:
            with op.preflight():
                pass
            with op.execution() as in_vain:
                in_vain.execute("UPDATE source SET name = 'undone'")
                raise LookupError("mine")

    assert "kept" in snapshot(catalog)["source"][0]


def test_an_operation_claims_what_it_names_and_nothing_else(catalog: Catalog) -> None:
    others = Claims(catalog.database.path)

    with suppress(ReviewError), catalog.operation("review", ReviewError) as op, op.preflight():
        op.claim("shows")
        others.take("movies", "review").release()
        with pytest.raises(ConflictError, match="review"):
            others.take("shows", "review")
        raise LookupError("that was all")


def test_the_result_tells_the_unit_its_changes_and_the_time_it_took(catalog: Catalog, collection: Collection) -> None:
    began = time.monotonic()

    with catalog.operation("review") as op:
        with op.preflight():
            time.sleep(0.02)
        with op.execution() as db:
            db.execute("UPDATE source SET name = 'renamed'")
        with op.postvalidation():
            pass
        result = op.finish(Result())

    assert result.changes is not None
    assert result.changes.counts == {"source": {"update": 1}}
    unit = catalog.history(1)[0]
    assert result.unit_id == unit.id
    assert 0.02 <= result.duration_s <= time.monotonic() - began
    assert 20 <= unit.operations[0].duration_ms <= (time.monotonic() - began) * 1000 + 1


def test_the_result_of_a_dry_run_names_no_unit(catalog: Catalog) -> None:
    with catalog.operation("review", dry_run=True) as op:
        with op.preflight():
            pass
        with op.execution():
            pass
        with op.postvalidation():
            pass
        result = op.finish(Result())

    assert (result.unit_id, result.dry_run) == (None, True)


def test_what_only_prepares_has_changed_nothing_and_names_no_unit(catalog: Catalog) -> None:
    with catalog.operation("review", prepares=True) as op:
        with op.preflight():
            pass
        with op.preparation():
            pass
        result = op.finish(Result())

    assert (result.unit_id, result.changes) == (None, None)
    assert catalog.history() == []


def test_what_an_undo_changed_in_a_dry_run_is_not_recorded_of_the_unit_around_it(
    catalog: Catalog, collection: Collection
) -> None:
    catalog.disable_collection("Shows")
    disabled = catalog.history(1)[0].id

    with catalog.session() as db:
        catalog.undo(disabled, dry_run=True)
        db.execute("UPDATE source SET name = 'kept'")

    assert catalog.history(1)[0].counts == {"source": {"update": 1}}


def test_one_that_cannot_even_begin_fails_in_its_preflight(catalog: Catalog) -> None:
    reader = Catalog(catalog.database.path, read_only=True)

    with pytest.raises(ReviewError) as caught, reader.operation("review", ReviewError):
        pytest.fail("the operation began")

    reader.close()
    assert caught.value.phase == "preflight"
    assert str(caught.value).startswith(f"review failed in preflight: {catalog.database.path!r} was opened read-only")


def test_a_claim_is_given_back_where_sqlite_has_ended_the_unit(catalog: Catalog, collection: Collection) -> None:
    def double(opened: Catalog) -> None:
        with suppress(OperationError), opened.operation("doubling") as op:
            with op.preflight():
                op.claim(collection.id)
            with op.execution() as db:
                db.execute("INSERT OR ROLLBACK INTO source SELECT * FROM source")

    with pytest.raises(TransactionLostError), catalog.session():
        double(catalog)

    with Catalog(catalog.database.path) as other:
        other.wipe_collection(collection.name)


def test_a_read_only_catalogue_refuses_before_anybody_is_asked(
    catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, tmp_path: Path
) -> None:
    asked: list[object] = []

    def ask_importer(config: object) -> FakeImporter:
        asked.append(config)
        return importer

    def ask_enricher(config: object) -> FakeEnricher:
        asked.append(config)
        return enricher

    copy = tmp_path / "copy" / "catalog.db"
    copy.parent.mkdir()
    catalog.backup(copy)
    factories: dict[str, Any] = {"importers": {"fake": ask_importer}, "enrichers": {"fake": ask_enricher}}
    with Catalog(copy, read_only=True, **factories) as opened:
        for refused in (
            lambda: opened.ingest_collection("Shows"),
            lambda: opened.prepare_ingest("Shows"),
            lambda: opened.process_asset(draft("a.mkv"), "Shows"),
            lambda: opened.discover_collections("station"),
            lambda: opened.wipe_collection("Shows"),
        ):
            with pytest.raises(OperationError, match="read-only") as caught:
                refused()
            assert isinstance(caught.value.cause, ResourceError)

    assert asked == []
    assert list(copy.parent.glob("*.claims")) == []
