"""When SQLite ends the transaction by itself, the unit is lost, however the error is treated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from retrovue_uow import ConstraintError, Database, ResourceError, RetroVueError, TransactionLostError
from retrovue_uow.testing import disk, faults

Fault = Callable[[Database], None]


def or_rollback(db: Database) -> None:
    db.execute("INSERT OR ROLLBACK INTO item VALUES (1, 'again')")


def rollback_in_the_schema(db: Database) -> None:
    db.execute("INSERT INTO strict_item VALUES (1)")


def rollback_in_a_trigger(db: Database) -> None:
    db.execute("INSERT INTO trap VALUES (1)")


def rollback_in_a_trigger_of_a_trigger(db: Database) -> None:
    db.execute("INSERT INTO outer_trap VALUES (1)")


def full_disk(db: Database) -> None:
    (pages,) = db.execute("PRAGMA page_count")[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    try:
        db.execute("INSERT INTO item (name) VALUES (hex(randomblob(100000)))")
    finally:
        db.connection.execute("PRAGMA max_page_count = 1000000")


def interrupting(db: Database) -> Callable[..., None]:
    def interrupt(*_: object) -> None:
        db.connection.interrupt()

    return interrupt


def interrupted_write(db: Database) -> None:
    db.connection.create_scalar_function("interrupt", interrupting(db))
    db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n LIMIT 5000) "
        "INSERT INTO item SELECT i, i || coalesce(iif(i = 4000, interrupt(), ''), '') FROM n"
    )


def no_memory(db: Database) -> None:
    apsw.hard_heap_limit(apsw.memory_used() + 20_000)
    try:
        db.execute("INSERT INTO item (name) VALUES (hex(zeroblob(10000000)))")
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)  # which the hard limit has lowered, too


class ProgressError(Exception):
    pass


def exception_in_a_progress_handler(db: Database) -> None:
    def stop() -> bool:
        raise ProgressError

    db.connection.set_progress_handler(stop, 2000)
    try:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n LIMIT 5000) INSERT INTO item SELECT i, i FROM n"
        )
    finally:
        db.connection.set_progress_handler(None)


CERTAIN: list[Fault] = [or_rollback, rollback_in_the_schema, rollback_in_a_trigger, rollback_in_a_trigger_of_a_trigger]
POSSIBLE: list[Fault] = [full_disk, no_memory, interrupted_write, exception_in_a_progress_handler]


@pytest.mark.parametrize("fault", CERTAIN)
@pytest.mark.parametrize("wrap", ["outermost", "nested", "contained"])
def test_a_swallowed_loss_makes_every_further_step_fail(
    db: Database, names: Callable[[], list[str]], works: Callable[[], None], fault: Fault, wrap: str
) -> None:
    hooks: list[str] = []
    with pytest.raises(TransactionLostError) as caught, db.session():
        db.on_commit(lambda: hooks.append("ran"))
        db.execute("INSERT INTO item (name) VALUES ('before')")
        with pytest.raises(ConstraintError) as first:
            if wrap == "outermost":
                fault(db)
            else:
                with db.session(contain=wrap == "contained"):
                    fault(db)
        with pytest.raises(TransactionLostError):
            db.execute("INSERT INTO item (name) VALUES ('after')")
        with pytest.raises(TransactionLostError), db.session():
            pytest.fail("nested in a lost unit")

    assert caught.value.__cause__ is first.value
    assert names() == ["first"]
    assert hooks == []
    works()


@pytest.mark.parametrize("fault", [*CERTAIN, *POSSIBLE])
def test_an_error_that_propagates_arrives_untouched(
    db: Database, names: Callable[[], list[str]], works: Callable[[], None], fault: Fault
) -> None:
    raised: list[BaseException] = []
    with pytest.raises((RetroVueError, ProgressError, MemoryError)) as caught, db.session(), db.session():
        db.execute("INSERT INTO item (name) VALUES ('before')")
        try:
            fault(db)
        except BaseException as error:
            raised.append(error)
            raise

    assert caught.value is raised[0]
    assert names() == ["first"]
    works()


@pytest.mark.parametrize("fault", [*CERTAIN, *POSSIBLE])
def test_a_swallowed_error_never_makes_half_a_unit_durable(
    db: Database, names: Callable[[], list[str]], works: Callable[[], None], fault: Fault
) -> None:
    outcome = "committed"
    try:
        with db.session():
            db.execute("INSERT INTO item (id, name) VALUES (100000, 'before')")
            with pytest.raises((RetroVueError, ProgressError, MemoryError)):
                fault(db)
            db.execute("INSERT INTO item (id, name) VALUES (200000, 'after')")
    except TransactionLostError:
        outcome = "lost"

    kept = {"before", "after"} & set(names())
    assert kept == ({"before", "after"} if outcome == "committed" else set())
    works()


def test_a_fresh_begin_behind_our_back_does_not_revive_a_lost_unit(db: Database, names: Callable[[], list[str]]) -> None:
    with pytest.raises(TransactionLostError), db.session():
        with pytest.raises(ConstraintError):
            or_rollback(db)
        db.connection.authorizer = None
        db.connection.execute("BEGIN IMMEDIATE")
        db.connection.execute("INSERT INTO item (name) VALUES ('revived')")

    assert names() == ["first"]


def test_a_write_on_the_raw_connection_after_a_loss_is_vetoed(db: Database, names: Callable[[], list[str]]) -> None:
    with pytest.raises(TransactionLostError), db.session():
        with pytest.raises(ConstraintError):
            or_rollback(db)
        with pytest.raises(apsw.ConstraintError):
            db.connection.execute("INSERT INTO item (name) VALUES ('stray')")

    assert names() == ["first"]


def test_a_connection_closed_behind_our_back_loses_the_unit(db: Database, names: Callable[[], list[str]]) -> None:
    with pytest.raises(TransactionLostError), db.session():
        db.execute("INSERT INTO item (name) VALUES ('before')")
        db.connection.close()

    assert names() == ["first"]


def constraint(db: Database) -> None:
    db.execute("INSERT INTO item VALUES (1, 'again')")


def failing_user_function(db: Database) -> None:
    def fail(*_: object) -> None:
        raise ValueError("from Python")

    db.connection.create_scalar_function("fail", fail)
    db.execute("INSERT INTO item (name) SELECT fail()")


def interrupted_select(db: Database) -> None:
    db.connection.create_scalar_function("interrupt", interrupting(db))
    db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) SELECT interrupt() FROM n")


def row_that_does_not_fit(db: Database) -> None:
    (pages,) = db.execute("PRAGMA page_count")[0]
    db.execute(f"PRAGMA max_page_count = {pages + 1}")
    try:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT 500) "
            "INSERT INTO item SELECT i, hex(randomblob(500)) FROM n"
        )
    finally:
        db.connection.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("fault", [constraint, failing_user_function, interrupted_select])
def test_an_error_that_sqlite_confines_to_one_statement_leaves_the_unit_alive(
    db: Database, names: Callable[[], list[str]], fault: Fault
) -> None:
    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('before')")
        with pytest.raises((RetroVueError, ValueError)):
            fault(db)
        db.execute("INSERT INTO item (name) VALUES ('after')")

    assert names() == ["first", "before", "after"]


def test_the_state_decides_and_not_the_error_code(db: Database, names: Callable[[], list[str]]) -> None:
    """A full file may cost one statement or the whole transaction: in either case the outcome is whole."""
    outcomes = set()
    for fault in (row_that_does_not_fit, full_disk):
        try:
            with db.session():
                db.execute("INSERT INTO item (name) VALUES ('before')")
                with pytest.raises(ResourceError, match="no room"):
                    fault(db)
                alive = db.connection.in_transaction
        except TransactionLostError:
            outcomes.add(("lost", alive, "before" in names()))
        else:
            outcomes.add(("kept", alive, "before" in names()))
        with db.session():
            db.execute("DELETE FROM item WHERE name = 'before'")

    assert outcomes <= {("lost", False, False), ("kept", True, True)}


def test_an_io_error_loses_nothing_but_the_unit(path: Path) -> None:
    with disk.failing_disk() as failing_disk:
        database = Database(path)
    with database.session():
        database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT")

    failing = faults.Injection(faults.Fault("file", 1, "", f"{disk.IO_ERROR} {disk.FROM_THEN_ON}"))
    with pytest.raises(ResourceError, match="disk"), failing_disk.watched(str(path.parent), failing), database.session():
        database.execute("INSERT INTO item VALUES (1)")

    assert database.execute("SELECT count(*) FROM item") == [(0,)]
    with database.session():
        database.execute("INSERT INTO item VALUES (2)")
    assert database.execute("SELECT id FROM item") == [(2,)]
    database.close()


def test_what_ended_the_transaction_is_the_cause_and_not_an_earlier_error(db: Database) -> None:
    with pytest.raises(TransactionLostError) as caught, db.session():
        with pytest.raises(ConstraintError):
            db.execute("INSERT INTO item VALUES (1, 'there already')")
        with pytest.raises(RetroVueError, match="sprung"):
            db.execute("INSERT INTO trap VALUES (1)")

    assert "sprung" in str(caught.value.__cause__)


def test_each_loss_on_one_handle_is_noticed_even_where_a_new_transaction_hides_it(
    db: Database, names: Callable[[], list[str]]
) -> None:
    for name in ("once", "again"):
        with pytest.raises(TransactionLostError), db.session():
            with pytest.raises(ConstraintError):
                or_rollback(db)
            db.connection.authorizer = None
            db.connection.execute("BEGIN IMMEDIATE")
            db.connection.execute("INSERT INTO item (name) VALUES (?)", (name,))

    assert names() == ["first"]


def test_a_loss_without_an_error_is_not_blamed_on_an_error_that_was_survived(db: Database) -> None:
    with pytest.raises(TransactionLostError) as caught, db.session():
        with pytest.raises(ConstraintError):
            db.execute("INSERT INTO item VALUES (1, 'there already')")
        db.connection.authorizer = None
        db.connection.execute("ROLLBACK")

    assert caught.value.__cause__ is None


def test_an_exception_that_is_none_of_sqlite_s_is_the_cause_where_it_ended_the_transaction(db: Database) -> None:
    with pytest.raises(TransactionLostError) as caught, db.session(), suppress(ProgressError):
        exception_in_a_progress_handler(db)

    assert isinstance(caught.value.__cause__, ProgressError)
