"""A COMMIT or RELEASE that fails: rolled back, named, at once, and nobody is locked out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from retrovue_uow import AfterCommitError, ConstraintError, ContractError, Database, ResourceError, RetroVueError

Names = Callable[[], list[str]]


def add(db: Database, name: str) -> None:
    db.execute("INSERT INTO item (name) VALUES (?)", (name,))


def test_outstanding_references_are_named_before_the_commit(db: Database, names: Names, works: Callable[[], None]) -> None:
    with pytest.raises(ConstraintError, match=r"row 7 of part \(to item\)"), db.session():
        add(db, "before")
        db.execute("INSERT INTO part VALUES (7, 999)")

    assert names() == ["first"]
    works()


def test_a_reference_that_is_mended_in_time_is_no_failure(db: Database, names: Names) -> None:
    with db.session():
        db.execute("INSERT INTO part VALUES (7, 999)")
        db.execute("INSERT INTO item VALUES (999, 'in time')")

    assert names() == ["first", "in time"]


@pytest.mark.parametrize("off", ["0", "OFF", "no", "false"])
def test_sqlite_cannot_be_made_to_forget_outstanding_references(db: Database, names: Names, off: str) -> None:
    with pytest.raises(ContractError), db.session():
        add(db, "before")
        db.execute("INSERT INTO part VALUES (7, 999)")
        db.execute(f"PRAGMA defer_foreign_keys = {off}")

    assert names() == ["first"]


def test_many_outstanding_references_are_counted(db: Database) -> None:
    with pytest.raises(ConstraintError, match="and 15 more"), db.session():
        for number in range(25):
            db.execute("INSERT INTO part VALUES (?, 999)", (number,))


@pytest.mark.parametrize("leave_open", ["cursor", "blob"])
def test_what_foreign_code_left_open_costs_the_unit_and_no_time(
    db: Database, names: Names, works: Callable[[], None], leave_open: str
) -> None:
    kept: list[object] = []
    waited: list[int] = []

    def note(tries: int) -> bool:
        waited.append(tries)
        return False

    db.connection.set_busy_handler(note)

    with pytest.raises(ContractError, match="statements in progress"), db.session():
        add(db, "before")
        if leave_open == "cursor":
            cursor = db.connection.execute("INSERT INTO item (name) VALUES ('a'), ('b'), ('c') RETURNING id")
            next(cursor)
            kept.append(cursor)
            del cursor
        else:
            kept.append(db.connection.blob_open("main", "picture", "pixels", 1, True))

    assert waited == []  # where waiting cannot help, nobody waits
    assert names() == ["first"]
    kept.clear()
    works()


def test_busy_readers_in_rollback_journal_mode_cost_the_unit_and_nothing_else(
    db: Database, path: Path, names: Names, works: Callable[[], None]
) -> None:
    db.connection.authorizer = None
    db.connection.set_commit_hook(None)
    assert db.connection.execute("PRAGMA journal_mode = delete").fetchall() == [("delete",)]
    db.transaction._set_hooks()
    reader = apsw.Connection(str(path))
    cursor = reader.execute("SELECT name FROM item UNION ALL SELECT 'more'")
    next(cursor)

    with pytest.raises(ResourceError, match="locked by another process"), db.session():
        add(db, "before")

    assert next(cursor) == ("more",)
    cursor.close()
    reader.close()
    assert names() == ["first"]
    works()


def test_other_readers_are_not_locked_out_by_a_failed_commit(db: Database, path: Path) -> None:
    other = apsw.Connection(str(path))
    with pytest.raises(ConstraintError), db.session():
        db.execute("INSERT INTO part VALUES (7, 999)")

    other.execute("BEGIN IMMEDIATE; UPDATE item SET name = 'changed'; COMMIT").fetchall()
    other.close()

    assert db.execute("SELECT name FROM item") == [("changed",)]


def test_foreign_keys_switched_off_let_no_violation_through(db: Database, names: Names, works: Callable[[], None]) -> None:
    with pytest.raises(ConstraintError, match="row 7 of part"), db.session():
        with pytest.raises(ContractError):
            db.execute("PRAGMA foreign_keys = OFF")
        db.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        db.execute("INSERT INTO part VALUES (7, 999)")

    works()
    assert db.execute("PRAGMA foreign_keys") == [(1,)]


def test_foreign_keys_switched_off_outside_are_on_in_the_unit(db: Database) -> None:
    db.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)

    with db.session():
        assert db.execute("PRAGMA foreign_keys") == [(1,)]


def test_hooks_run_in_the_order_of_registration_across_nesting(db: Database) -> None:
    ran: list[str] = []
    with db.session():
        db.on_commit(lambda: ran.append("outer"))
        with db.session():
            db.on_commit(lambda: ran.append("nested"))
        db.on_commit(lambda: ran.append("later"))
        assert ran == []

    assert ran == ["outer", "nested", "later"]


def test_hooks_of_what_was_rolled_back_never_run(db: Database) -> None:
    ran: list[str] = []
    with db.session():
        with pytest.raises(ValueError, match="mine"), db.session(contain=True):
            db.on_commit(lambda: ran.append("contained"))
            raise ValueError("mine")
        with db.session():
            db.on_commit(lambda: ran.append("dry"))
            db.set_rollback_only("dry")
    with pytest.raises(ValueError, match="whole"), db.session():
        db.on_commit(lambda: ran.append("whole"))
        raise ValueError("whole")
    with db.session():
        add(db, "the next unit")

    assert ran == []


def test_a_hook_runs_outside_the_unit_and_may_open_one(db: Database, names: Names) -> None:
    def write() -> None:
        assert not db.in_unit
        with db.session():
            add(db, "from the hook")

    with db.session():
        db.on_commit(write)

    assert names() == ["first", "from the hook"]


def test_a_hook_that_fails_stops_no_other_and_says_that_the_data_is_committed(db: Database, names: Names) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(AfterCommitError, match="IS committed") as caught, db.session():
        add(db, "committed")
        db.on_commit(fail)
        db.on_commit(lambda: ran.append("the other"))

    assert [str(error) for error in caught.value.errors] == ["mine"]
    assert ran == ["the other"]
    assert names() == ["first", "committed"]


def test_a_hook_needs_a_unit(db: Database) -> None:
    with pytest.raises(ContractError, match="no unit of work is open"):
        db.on_commit(lambda: None)


def test_what_a_check_before_the_commit_raises_rolls_back(db: Database, names: Names, works: Callable[[], None]) -> None:
    refusing = [True]

    def check() -> None:
        if refusing[0]:
            raise ValueError("not sound")

    db.before_commit(check)
    with pytest.raises(ValueError, match="not sound"), db.session():
        add(db, "unsound")

    refusing[0] = False
    assert names() == ["first"]
    works()


def test_references_that_cannot_be_checked_are_told_in_our_words(db: Database, names: Names, works: Callable[[], None]) -> None:
    with pytest.raises(RetroVueError, match="foreign key mismatch"), db.session():
        db.execute("CREATE TABLE odd (name TEXT REFERENCES strict_item (name)) STRICT")
        db.execute("ALTER TABLE strict_item ADD COLUMN name TEXT")
        db.execute("INSERT INTO part VALUES (7, 999)")

    assert names() == ["first"]
    works()
