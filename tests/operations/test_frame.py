"""The frame of an operation: what its error says, and where it is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from harness import dump

from retrovue_uow import Catalog, Collection, ConflictError, ContractError, OperationError
from retrovue_uow.store.claims import Claims


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

    assert "kept" in dump(catalog)["source"][0]


def test_an_operation_claims_what_it_names_and_nothing_else(catalog: Catalog) -> None:
    others = Claims(catalog.database.path)

    with suppress(ReviewError), catalog.operation("review", ReviewError) as op, op.preflight():
        op.claim("shows")
        others.take("movies", "review").release()
        with pytest.raises(ConflictError, match="review"):
            others.take("shows", "review")
        raise LookupError("that was all")
