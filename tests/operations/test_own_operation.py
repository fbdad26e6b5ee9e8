"""A user's own operation has the same guarantees as the library's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from retrovue_uow import (
    AfterCommitError,
    Catalog,
    Collection,
    ConstraintError,
    ContractError,
    OperationError,
    ValidationError,
    WipeOptions,
)
from retrovue_uow.rules.integrity import (
    validate_database_consistency,
    validate_no_duplicates,
    validate_no_orphaned_records,
)
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.journal import recorded as read_record
from retrovue_uow.testing import snapshot
from retrovue_uow.uow.database import Database

RETIRE = "UPDATE asset SET state = 'retired'"
BREAK_A_RULE = "DELETE FROM movie_asset"
BREAK_A_CONSTRAINT = "UPDATE asset SET kind = 'opera'"


class RetireError(OperationError):
    """Retiring assets failed."""


@pytest.fixture
def ingested(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection("Shows")
    return catalog


def retire(catalog: Catalog, *statements: str, dry_run: bool = False, fails: BaseException | None = None) -> object:
    """An operation of one's own that runs the statements between the phases it owes."""
    with catalog.operation("retire", RetireError, dry_run=dry_run, statements=statements) as op:
        with op.preflight() as db:
            db.execute("SELECT count(*) FROM asset")
        with op.execution() as db:
            for statement in statements:
                db.execute(statement)
            if fails is not None:
                raise fails
        with op.postvalidation() as db:
            validate_database_consistency(db)
        return op.finish({"statements": len(statements)})


def journal(catalog: Catalog) -> list[list[str]]:
    """The names of the operations of each unit, in order."""
    found = snapshot(catalog)
    return [[row[2] for row in found["operation"] if row[1] == unit[0]] for unit in found["unit_of_work"]]


def states(catalog: Catalog) -> set[str]:
    return {asset.state for asset in catalog.assets()}


def test_it_commits_with_a_row_in_the_journal(ingested: Catalog) -> None:
    units = journal(ingested)

    assert retire(ingested, RETIRE) == {"statements": 1}

    assert states(ingested) == {"retired"}
    assert journal(ingested) == [*units, ["retire"]]
    _, _, name, arguments, result, *_ = snapshot(ingested)["operation"][-1]
    assert (name, json.loads(arguments), json.loads(result)) == ("retire", {"statements": [RETIRE]}, {"statements": 1})


def test_an_operation_that_changes_nothing_leaves_one_row_too(ingested: Catalog) -> None:
    units = journal(ingested)

    retire(ingested)

    assert journal(ingested) == [*units, ["retire"]]


@pytest.mark.parametrize(
    ("statement", "fails", "phase", "cause"),
    [
        (RETIRE, LookupError("mine"), "execution", LookupError),
        (BREAK_A_CONSTRAINT, None, "execution", ConstraintError),
        (BREAK_A_RULE, None, "postvalidation", ValidationError),
    ],
    ids=["raises", "constraint", "rule"],
)
def test_a_failing_one_keeps_nothing_and_raises_its_own_error(
    ingested: Catalog, statement: str, fails: Exception | None, phase: str, cause: type[Exception]
) -> None:
    before = snapshot(ingested)

    with pytest.raises(RetireError, match="retire failed in") as caught:
        retire(ingested, RETIRE, statement, fails=fails)

    assert (caught.value.operation, caught.value.phase, type(caught.value.cause)) == ("retire", phase, cause)
    assert caught.value.__cause__ is not None
    assert snapshot(ingested) == before


@pytest.mark.parametrize("passing", [KeyboardInterrupt(), SystemExit(1), ContractError("misuse")], ids=repr)
def test_interrupts_and_misuse_pass_through_unwrapped(ingested: Catalog, passing: BaseException) -> None:
    before = snapshot(ingested)

    with pytest.raises(type(passing)) as caught:
        retire(ingested, RETIRE, fails=passing)

    assert caught.value is passing
    assert snapshot(ingested) == before


def test_a_dry_run_keeps_nothing(ingested: Catalog) -> None:
    before = snapshot(ingested)

    assert retire(ingested, RETIRE, dry_run=True) == {"statements": 1}

    assert snapshot(ingested) == before


def preflight(op: Operation) -> None:
    with op.preflight():
        pass


def execution(op: Operation) -> None:
    with op.execution() as db:
        db.execute(RETIRE)


def postvalidation(op: Operation) -> None:
    with op.postvalidation():
        pass


def preparation(op: Operation) -> None:
    with op.preparation():
        pass


def finish(op: Operation) -> None:
    op.finish(None)


Step = Callable[[Operation], None]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [execution],
        [postvalidation],
        [finish],
        [preflight],
        [preflight, finish],
        [preflight, postvalidation],
        [preflight, preparation],
        [preflight, preflight],
        [preflight, execution],
        [preflight, execution, finish],
        [preflight, execution, execution],
        [preflight, execution, postvalidation],
        [preflight, execution, postvalidation, execution],
        [preflight, execution, postvalidation, postvalidation],
        [preflight, execution, postvalidation, finish, execution],
    ],
    ids=lambda steps: " ".join(step.__name__ for step in steps) or "nothing",
)
def test_a_phase_skipped_repeated_or_out_of_order_is_misuse_and_keeps_nothing(ingested: Catalog, steps: list[Step]) -> None:
    before = snapshot(ingested)

    with pytest.raises(ContractError), ingested.operation("retire", RetireError) as op:
        for step in steps:
            step(op)

    assert snapshot(ingested) == before
    assert retire(ingested, RETIRE)


@pytest.mark.parametrize("steps", [[preflight, execution], [preflight, preparation, postvalidation], [preflight, finish]])
def test_one_that_prepares_owes_its_preparation(ingested: Catalog, steps: list[Step]) -> None:
    before = snapshot(ingested)

    with pytest.raises(ContractError), ingested.operation("retire", RetireError, prepares=True) as op:
        for step in steps:
            step(op)

    assert snapshot(ingested) == before


def test_one_that_prepares_holds_no_lock_meanwhile(ingested: Catalog) -> None:
    with (
        Catalog(ingested.database.path, busy_timeout_ms=0, write_wait_s=1) as other,
        ingested.operation("retire", RetireError, prepares=True) as op,
    ):
        preflight(op)
        with op.preparation():
            other.add_source("meanwhile")
        execution(op)
        postvalidation(op)
        finish(op)

    assert states(ingested) == {"retired"}


@pytest.mark.parametrize("prepares", [False, True])
def test_preflight_cannot_write(ingested: Catalog, prepares: bool) -> None:
    before = snapshot(ingested)

    with (
        pytest.raises(ContractError, match="cannot write"),
        ingested.operation("retire", RetireError, prepares=prepares) as op,
        op.preflight() as db,
    ):
        db.execute(RETIRE)

    assert snapshot(ingested) == before


def test_postvalidation_cannot_write(ingested: Catalog) -> None:
    before = snapshot(ingested)

    with pytest.raises(ContractError, match="cannot write"), ingested.operation("retire", RetireError) as op:
        preflight(op)
        execution(op)
        with op.postvalidation() as db:
            db.execute(RETIRE)

    assert snapshot(ingested) == before


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT retrovue_unit_1", "PRAGMA query_only = 0"])
def test_transaction_control_is_refused(ingested: Catalog, statement: str) -> None:
    before = snapshot(ingested)

    with pytest.raises(ContractError):
        retire(ingested, RETIRE, statement)

    assert snapshot(ingested) == before


def test_a_frame_is_entered_once(ingested: Catalog) -> None:
    op = ingested.operation("retire", RetireError)
    with pytest.raises(ContractError), op:
        pass

    with pytest.raises(ContractError, match="entered once"), op:
        pass


def test_operations_of_one_session_are_one_unit_of_the_journal(ingested: Catalog) -> None:
    units = journal(ingested)

    with ingested.session():
        retire(ingested, RETIRE)
        ingested.wipe_collection("Shows")

    assert journal(ingested) == [*units, ["retire", "collection_wipe"]]


def test_a_session_without_operations_is_journalled_as_one(ingested: Catalog) -> None:
    units = journal(ingested)

    with ingested.session() as db:
        db.execute(RETIRE)

    assert journal(ingested) == [*units, ["session"]]


def test_a_session_that_writes_nothing_is_not_journalled(ingested: Catalog) -> None:
    before = snapshot(ingested)

    with ingested.session() as db:
        db.execute("SELECT 1")

    assert snapshot(ingested) == before


def nested(catalog: Catalog, inner: Callable[[], object]) -> None:
    """An operation that runs another one in its execution."""
    with catalog.operation("outer") as op:
        preflight(op)
        with op.execution() as db:
            inner()
            db.execute(RETIRE)
        with op.postvalidation() as db:
            validate_database_consistency(db)
        op.finish(None)


def test_operations_nest(ingested: Catalog) -> None:
    units = journal(ingested)

    nested(ingested, lambda: ingested.disable_collection("Shows"))

    assert journal(ingested) == [*units, ["collection_disable", "outer"]]
    assert states(ingested) == {"retired"}


def test_a_nested_failure_is_the_cause_of_the_outer_one_and_keeps_nothing(ingested: Catalog) -> None:
    before = snapshot(ingested)

    with pytest.raises(OperationError) as caught:
        nested(ingested, lambda: retire(ingested, RETIRE, fails=LookupError("mine")))

    assert caught.value.operation == "outer"
    assert isinstance(caught.value.cause, LookupError)
    assert snapshot(ingested) == before


def test_a_nested_dry_run_leaves_the_outer_one_usable(ingested: Catalog) -> None:
    units = journal(ingested)

    nested(ingested, lambda: ingested.wipe_collection("Shows", WipeOptions(dry_run=True)))

    assert journal(ingested) == [*units, ["outer"]]
    assert len(ingested.assets()) == 4
    assert states(ingested) == {"retired"}


def test_a_dry_run_around_real_operations_keeps_none_of_them(ingested: Catalog) -> None:
    before = snapshot(ingested)

    with ingested.operation("outer", dry_run=True) as op:
        preflight(op)
        with op.execution():
            ingested.wipe_collection("Shows")
            assert ingested.assets() == []
        postvalidation(op)
        finish(op)

    assert snapshot(ingested) == before


def test_a_failure_survived_by_contain_keeps_the_rest(ingested: Catalog) -> None:
    units = journal(ingested)

    with ingested.session():
        ingested.disable_collection("Shows")
        with pytest.raises(RetireError), ingested.session(contain=True):
            retire(ingested, RETIRE, fails=LookupError("mine"))

    assert journal(ingested) == [*units, ["collection_disable"]]
    assert states(ingested) == {"ready"}


@pytest.mark.parametrize("fails", [None, LookupError("mine")])
def test_a_claim_is_kept_to_the_end_of_the_unit_and_no_longer(ingested: Catalog, fails: Exception | None) -> None:
    def claims(catalog: Catalog) -> Any:
        return catalog.wipe_collection("Shows", WipeOptions(dry_run=True))

    with Catalog(ingested.database.path, busy_timeout_ms=0, write_wait_s=1) as other:
        try:
            with ingested.session():
                claims(ingested)
                with pytest.raises(OperationError):
                    claims(other)
                if fails is not None:
                    raise fails
        except LookupError:
            pass

        assert claims(other).deleted["asset"] == 4


def test_what_the_operation_worked_on_is_named_in_its_error(ingested: Catalog) -> None:
    with pytest.raises(RetireError, match=r"at 'a\.mkv': mine"), ingested.operation("retire", RetireError) as op:
        preflight(op)
        with op.execution():
            op.working_on = "a.mkv"
            raise LookupError("mine")


def test_on_commit_runs_after_the_outermost_commit_only(ingested: Catalog) -> None:
    seen: list[set[str]] = []

    with ingested.session() as db:
        db.on_commit(lambda: seen.append(states(ingested)))
        retire(ingested, RETIRE)
        assert seen == []

    assert seen == [{"retired"}]


def no_rule(db: Database) -> None:
    """What an author forgets."""


@pytest.mark.parametrize(
    "rule", [no_rule, validate_no_duplicates, validate_no_orphaned_records], ids=lambda rule: rule.__name__
)
def test_what_its_rules_have_not_looked_at_the_gate_judges(ingested: Catalog, rule: Callable[[Database], None]) -> None:
    before = snapshot(ingested)

    with pytest.raises(RetireError) as caught, ingested.operation("break", RetireError) as op:
        with op.preflight() as db:
            db.execute("SELECT count(*) FROM asset")
        with op.execution() as db:
            db.execute("UPDATE asset SET kind = 'bumper' WHERE kind = 'movie'")
        with op.postvalidation() as db:
            rule(db)
        op.finish(None)

    assert caught.value.phase == "commit"
    assert isinstance(caught.value.cause, ValidationError)
    assert snapshot(ingested) == before


def test_what_it_writes_besides_recorded_changes_is_recorded_too(ingested: Catalog) -> None:
    with ingested.session() as db:
        db.execute("UPDATE asset SET width = 640")
    recorded = read_record(ingested.database, ingested.history(1)[0])
    before = snapshot(ingested, journal=False)

    with ingested.operation("narrow", RetireError) as op:
        with op.preflight() as db:
            db.execute("SELECT count(*) FROM asset")
        with op.execution() as db:
            assert op.apply(recorded.inverted()) is None
            db.execute("UPDATE collection SET enabled = 0")
            db.execute("UPDATE asset SET height = 480, width = 320 WHERE kind = 'movie'")
        with op.postvalidation() as db:
            validate_database_consistency(db)
        op.finish(None)

    unit = ingested.history(1)[0]
    assert unit.counts == {"asset": {"update": 4}, "collection": {"update": 1}}
    ingested.undo(unit.id)
    assert snapshot(ingested, journal=False) == before


def test_a_failing_hook_inside_an_operation_arrives_unwrapped_and_the_data_is_there(ingested: Catalog) -> None:
    failure = KeyError("the hook's own")

    def fail() -> None:
        raise failure

    def change() -> None:
        ingested.database.execute("UPDATE asset SET state = 'retired'")
        ingested.database.on_commit(fail)

    with pytest.raises(AfterCommitError) as caught:
        nested(ingested, change)

    assert caught.value.__cause__ is failure
    assert caught.value.errors == (failure,)
    assert {asset.state for asset in ingested.assets()} == {"retired"}


def test_a_swallowed_failure_keeps_its_cause(ingested: Catalog) -> None:
    failure = KeyError("swallowed")

    def change() -> None:
        with pytest.raises(KeyError), ingested.session():
            raise failure

    with pytest.raises(ContractError, match="swallowed") as caught:
        nested(ingested, change)

    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("argument", [object(), b"x", {1, 2}, float("nan")], ids=["object", "bytes", "set", "NaN"])
def test_arguments_that_are_no_json_are_refused_at_entry(catalog: Catalog, argument: object) -> None:
    with pytest.raises(ContractError, match="JSON"), catalog.operation("own", argument=argument):
        pytest.fail("entered")
