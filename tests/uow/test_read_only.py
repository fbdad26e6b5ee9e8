"""Read-only blocks: SQLite itself refuses to write, and nobody inside can lift it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from retrovue_uow import ContractError, Database

Names = Callable[[], list[str]]

WRITES = [
    "INSERT INTO item (name) VALUES ('written')",
    "DELETE FROM item WHERE false",
    "CREATE TABLE written (id INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE written (id INTEGER PRIMARY KEY)",
    "PRAGMA user_version = 7",
    "INSERT INTO note VALUES ('written')",
    "DROP TABLE item",
]


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_is_refused_by_sqlite_and_works_again_after_the_block(db: Database, names: Names, statement: str) -> None:
    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('pending')")
        with db.read_only():
            assert db.execute("SELECT count(*) FROM item") == [(2,)]
            with pytest.raises(ContractError, match="cannot write"):
                db.execute(statement)
        db.execute("INSERT INTO item (name) VALUES ('after')")

    assert names() == ["first", "pending", "after"]


def test_a_blob_cannot_be_written(db: Database) -> None:
    with db.session(), db.read_only(), pytest.raises(apsw.ReadOnlyError):
        db.connection.blob_open("main", "picture", "pixels", 1, True).write(b"x")


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA query_only = 0",
        "PRAGMA query_only(OFF)",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT mine",
        "ATTACH ':memory:' AS other",
        "PRAGMA main.query_only = 0",
    ],
)
def test_validation_code_cannot_lift_it(db: Database, names: Names, statement: str) -> None:
    with db.session():
        with db.read_only():
            with pytest.raises(ContractError):
                db.execute(statement)
            with pytest.raises(ContractError, match="cannot write"):
                db.execute("INSERT INTO item (name) VALUES ('written')")
        db.execute("INSERT INTO item (name) VALUES ('after')")

    assert names() == ["first", "after"]


def test_an_exception_that_leaves_the_block_does_no_harm(db: Database, names: Names, works: Callable[[], None]) -> None:
    with pytest.raises(ValueError, match="mine"), db.session():
        db.execute("INSERT INTO note VALUES ('pending full text')")
        with db.read_only():
            raise ValueError("mine")

    assert names() == ["first"]
    works()


def test_a_swallowed_exception_leaves_the_unit_writable(db: Database, names: Names) -> None:
    with db.session():
        with pytest.raises(ValueError, match="mine"), db.read_only():
            raise ValueError("mine")
        db.execute("INSERT INTO item (name) VALUES ('after')")

    assert names() == ["first", "after"]


def test_units_nest_inside_the_block_and_it_still_holds(db: Database, names: Names) -> None:
    with db.session():
        db.execute("INSERT INTO note VALUES ('pending full text')")
        with db.read_only():
            with db.session():
                assert db.execute("SELECT count(*) FROM note") == [(1,)]
            with pytest.raises(ContractError, match="cannot write"):
                db.execute("INSERT INTO item (name) VALUES ('written')")

    assert db.execute("SELECT count(*) FROM note WHERE note MATCH 'pending'") == [(1,)]
    assert names() == ["first"]


def test_blocks_nest(db: Database) -> None:
    with db.session():
        with db.read_only():
            with db.read_only():
                assert db.execute("SELECT count(*) FROM item") == [(1,)]
            with pytest.raises(ContractError, match="cannot write"):
                db.execute("DELETE FROM item")
        db.execute("DELETE FROM item")


def test_outside_a_unit_it_is_a_consistent_snapshot(db: Database, path: Path) -> None:
    other = apsw.Connection(str(path))
    with db.read_only():
        assert db.execute("SELECT name FROM item") == [("first",)]
        other.execute("UPDATE item SET name = 'changed'").fetchall()
        assert db.execute("SELECT name FROM item") == [("first",)]
        with pytest.raises(ContractError, match="cannot write"):
            db.execute("DELETE FROM item")
    other.close()

    assert db.execute("SELECT name FROM item") == [("changed",)]
    assert not db.connection.in_transaction


def test_a_unit_cannot_be_opened_inside_a_snapshot(db: Database, works: Callable[[], None]) -> None:
    with db.read_only():
        with pytest.raises(ContractError, match="inside a read-only block"), db.session():
            pytest.fail("opened a unit in a snapshot")
        assert db.execute("SELECT count(*) FROM item") == [(1,)]

    works()


def test_a_block_that_another_thread_may_not_open_leaves_ours_in_force(db: Database, names: Callable[[], list[str]]) -> None:
    refused: list[BaseException] = []

    def intrude() -> None:
        try:
            with db.read_only():
                pytest.fail("the block was opened")
        except ContractError as error:
            refused.append(error)

    with db.session(), db.read_only():
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        with pytest.raises(ContractError, match="read-only phase"):
            db.execute("INSERT INTO item (name) VALUES ('written')")

    assert len(refused) == 1
    assert names() == ["first"]


def test_a_block_within_a_snapshot_leaves_the_snapshot_in_force(db: Database, path: Path) -> None:
    other = apsw.Connection(str(path))
    with db.read_only():
        with db.read_only():
            assert db.execute("SELECT name FROM item") == [("first",)]
        other.execute("UPDATE item SET name = 'changed'").fetchall()
        assert db.execute("SELECT name FROM item") == [("first",)]
        with pytest.raises(ContractError, match="read-only phase"):
            db.execute("DELETE FROM item")
    other.close()


def test_a_snapshot_leaves_no_refusal_behind_on_the_connection(db: Database) -> None:
    with db.read_only():
        assert db.execute("PRAGMA query_only") == [(1,)]

    assert db.execute("PRAGMA query_only") == [(0,)]
