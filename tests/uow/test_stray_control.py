"""Transaction control that is not ours: refused before it runs, or noticed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import apsw
import pytest

from retrovue_uow import ContractError, Database, TransactionLostError

Names = Callable[[], list[str]]

CONTROL = [
    "COMMIT",
    "end",
    "ROLLBACK",
    "BEGIN",
    "begin immediate",
    "/* by the way */ COMMIT",
    "INSERT OR IGNORE INTO item (name) VALUES ('with it'); COMMIT",
    "RELEASE retrovue_unit_2",
    "ROLLBACK TO retrovue_unit_2",
    "SAVEPOINT retrovue_unit_9",
]


@pytest.mark.parametrize("statement", CONTROL)
def test_control_through_execute_is_refused_before_it_runs(db: Database, names: Names, statement: str) -> None:
    for _ in range(2):  # the second time from SQLite's cache of statements, if it got there
        with db.session(), db.session():
            db.execute("INSERT OR IGNORE INTO item (name) VALUES ('ours')")
            with pytest.raises(ContractError, match="belong to the unit of work"):
                db.execute(statement)

    assert "ours" in names()


@pytest.mark.parametrize("is_in_unit", [True, False])
def test_no_other_file_can_be_drawn_into_a_unit(db: Database, names: Names, tmp_path: Path, is_in_unit: bool) -> None:
    other = tmp_path / "other.db"
    with db.session() if is_in_unit else nullcontext():
        for _ in range(2):
            with pytest.raises(ContractError, match="belong to the unit of work"):
                db.execute(f"ATTACH '{other}' AS other")

    with db.session(), pytest.raises(ContractError):
        db.execute("CREATE TABLE other.written (id)")
    assert not other.exists()
    assert names() == ["first"]


@pytest.mark.parametrize("statement", CONTROL[:3])
def test_control_on_the_raw_connection_is_refused_too(db: Database, names: Names, statement: str) -> None:
    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")
        with pytest.raises(apsw.AuthError):
            db.connection.execute(statement)

    assert names() == ["first", "ours"]


def test_a_commit_behind_the_authorizer_is_vetoed_and_loses_the_unit(
    db: Database, names: Names, works: Callable[[], None]
) -> None:
    authorizer = db.connection.authorizer
    with pytest.raises(TransactionLostError), db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")
        db.connection.authorizer = None
        with pytest.raises(apsw.ConstraintError):
            db.connection.execute("COMMIT -- stray")

    db.connection.authorizer = authorizer
    assert names() == ["first"]
    works()


def test_a_rollback_behind_the_authorizer_is_noticed(db: Database, names: Names, works: Callable[[], None]) -> None:
    authorizer = db.connection.authorizer
    with pytest.raises(TransactionLostError), db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")
        db.connection.authorizer = None
        db.connection.execute("ROLLBACK -- stray")

    db.connection.authorizer = authorizer
    assert names() == ["first"]
    works()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO item (name) VALUES ('stray')",
        "UPDATE item SET name = 'stray'",
        "DELETE FROM item",
        "CREATE TABLE stray (id INTEGER PRIMARY KEY)",
        "DROP TABLE item",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 7",
        "INSERT INTO note VALUES ('stray')",
    ],
)
def test_a_write_outside_any_unit_is_refused_and_leaves_nothing(db: Database, names: Names, statement: str) -> None:
    before = db.execute("SELECT * FROM sqlite_schema"), db.execute("PRAGMA user_version"), db.execute("PRAGMA application_id")

    with pytest.raises(ContractError, match="outside a unit of work"):
        db.execute(statement)

    assert names() == ["first"]
    assert before == (
        db.execute("SELECT * FROM sqlite_schema"),
        db.execute("PRAGMA user_version"),
        db.execute("PRAGMA application_id"),
    )
    assert db.execute("SELECT count(*) FROM note") == [(0,)]


def test_a_users_own_balanced_savepoints_are_fine(db: Database, names: Names) -> None:
    with db.session():
        db.execute("SAVEPOINT mine")
        db.execute("INSERT INTO item (name) VALUES ('undone')")
        db.execute("ROLLBACK TO mine")
        db.execute("RELEASE mine")
        db.execute("INSERT INTO item (name) VALUES ('kept')")

    assert names() == ["first", "kept"]


@pytest.mark.parametrize("pragma", ["foreign_keys = OFF", "query_only = 0", "writable_schema = 1", "journal_mode = delete"])
def test_settings_that_guard_the_file_are_refused(db: Database, pragma: str) -> None:
    with pytest.raises(ContractError):
        db.execute(f"PRAGMA {pragma}")
    with db.session(), pytest.raises(ContractError):
        db.execute(f"PRAGMA {pragma}")


def test_no_savepoint_of_ours_can_be_named_by_others(db: Database, names: Names) -> None:
    statements: list[str] = []

    def note(_: object, sql: str, __: object) -> bool:
        statements.append(sql)
        return True

    with db.session():
        db.connection.exec_trace = note
        with db.session():
            db.connection.exec_trace = None
            db.execute("INSERT INTO item (name) VALUES ('kept')")
            (savepoint,) = [sql.split()[1] for sql in statements if sql.startswith("SAVEPOINT")]
            for control in ("ROLLBACK TO", "RELEASE", "SAVEPOINT"):
                with pytest.raises(ContractError):
                    db.execute(f"{control} {savepoint}")

    assert names() == ["first", "kept"]


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO item (name) VALUES ('stray')"])
def test_the_very_first_statement_on_a_connection_is_guarded_as_any_other(path: Path, names: Names, statement: str) -> None:
    fresh = Database(path)

    with pytest.raises(ContractError):
        fresh.execute(statement)

    fresh.close()
    assert names() == ["first"]


def test_references_may_be_deferred_for_the_length_of_a_unit(db: Database) -> None:
    with db.session():
        db.execute("PRAGMA defer_foreign_keys = ON")
        assert db.execute("PRAGMA defer_foreign_keys") == [(1,)]
        db.execute("PRAGMA cell_size_check = OFF")


@pytest.mark.parametrize(
    "run", [lambda db, sql: db.execute(sql), lambda db, sql: db.executemany(sql, [()])], ids=["one", "many"]
)
@pytest.mark.parametrize("sql", ["DELETE FROM item\0 WHERE id = 7", "INSERT INTO item (name) VALUES ('a'); SELECT 1\0"])
def test_a_statement_with_a_nul_is_refused_in_words(
    db: Database, names: Names, run: Callable[[Database, str], None], sql: str
) -> None:
    with pytest.raises(ContractError, match="has a NUL character: bind it"), db.session():
        run(db, sql)

    with db.session():
        db.execute("INSERT INTO item (name) VALUES (?)", ("a\0b",))
    assert names() == ["first", "a\0b"]
