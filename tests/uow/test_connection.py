"""One connection: its settings, its patience with other writers, and its errors in the library's words."""

from __future__ import annotations

import os
import resource
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from retrovue_uow import Catalog, ConstraintError, ContractError, Database, ResourceError, RetroVueError, ValidationError
from retrovue_uow.uow.connection import BusyWait, translated, wrong_settings


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "family", "words"),
        [
            (apsw.BusyError("a"), ResourceError, "database 'some.db' is locked by another process"),
            (apsw.BusyError("SQL statements in progress"), ContractError, "half-read cursor"),
            (apsw.ConstraintError("a"), ConstraintError, "refused a row: a"),
            (apsw.CorruptError("a"), ResourceError, "database 'some.db' is damaged"),
            (apsw.FullError("a"), ResourceError, "database 'some.db' has no room"),
            (apsw.InternalError("a"), ResourceError, "database 'some.db' failed (a)"),
            (apsw.SQLError("a"), ContractError, "cannot run this (a)"),
            (OverflowError("a"), ValidationError, "64 bits (a)"),
            (TypeError("a"), ContractError, "cannot take this value: a"),
        ],
    )
    def test_an_error_without_sqlite_s_code_is_told_by_its_kind(
        self, error: apsw.Error | OverflowError | TypeError, family: type[RetroVueError], words: str
    ) -> None:
        told = translated(error, "some.db")

        assert type(told) is family
        assert words in str(told)

    def test_where_no_folder_takes_temporary_files_it_says_how_to_name_one(self) -> None:
        error: Any = apsw.IOError("disk I/O error")
        error.extendedresult = apsw.SQLITE_IOERR_GETTEMPPATH

        assert "finds no folder for temporary files: name one" in str(translated(error, "some.db"))

    def test_text_that_is_none_names_the_database(self, tmp_path: Path) -> None:
        with (
            Database(tmp_path / "some.db") as db,
            pytest.raises(ResourceError, match=r"some\.db' holds text that is not UTF-8"),
        ):
            db.execute("SELECT CAST(x'ff' AS TEXT)")

    def test_a_name_longer_than_sqlite_takes_is_refused_in_words(self, tmp_path: Path) -> None:
        folder = tmp_path / ("a" * 200) / ("b" * 200) / ("c" * 200)
        folder.mkdir(parents=True)

        with pytest.raises(ResourceError, match=r"some\.db' cannot be opened"):
            Database(folder / "some.db")

    def test_a_file_that_only_begins_as_a_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        content = b"SQLite format 3\x00" + b"\xff" * 5000
        (tmp_path / "some.db").write_bytes(content)

        with pytest.raises(ResourceError, match=r"some\.db' is not a SQLite database"):
            Database(tmp_path / "some.db")

        assert (tmp_path / "some.db").read_bytes() == content

    def test_what_has_taken_the_name_of_a_log_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "some.db-wal").mkdir()

        with pytest.raises(ResourceError, match=r"some\.db-wal' is no regular file"):
            Database(tmp_path / "some.db")

        assert not (tmp_path / "some.db").exists()

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("", "no name of a file"),
            ("a\0b", "no name of a file"),
            (b"some.db", "no name of a file"),
            ("\udc80", "is not UTF-8"),
        ],
        ids=["empty", "null", "bytes", "surrogate"],
    )
    def test_what_can_be_no_name_of_a_file_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any, words: str
    ) -> None:
        monkeypatch.chdir(tmp_path)

        with pytest.raises(ResourceError, match=words):
            Database(name)

        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ResourceError, match=r"some\.db' does not exist"):
            Database(tmp_path / "some.db", read_only=True)

    @pytest.mark.parametrize("left", [0, 1, 2])
    def test_where_no_more_files_can_be_opened_it_says_so(self, tmp_path: Path, left: int) -> None:
        Database(tmp_path / "some.db").close()
        first_free = os.dup(0)
        os.close(first_free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + left, hard))
        try:
            with pytest.raises(ResourceError, match=r"some\.db' cannot be opened: this process has too many files open"):
                Database(tmp_path / "some.db")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestWaiting:
    @pytest.fixture
    def slept(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """For how many seconds Python was asked to sleep, which it does not."""
        asked: list[float] = []
        monkeypatch.setattr(time, "sleep", asked.append)
        return asked

    def test_it_asks_again_soon_and_then_every_twenty_milliseconds(self, slept: list[float]) -> None:
        wait = BusyWait(100_000)

        assert all(wait(tries) for tries in range(100))

        assert len(slept) == 100
        assert slept == sorted(slept)
        assert 0 < slept[0] <= 0.001
        assert slept[-1] == 0.02

    def test_it_sleeps_no_longer_than_there_is_time(self, slept: list[float]) -> None:
        wait = BusyWait(15)

        wait(0)
        wait(100)

        assert max(slept) <= 0.015

    def test_without_patience_it_does_not_try_again(self, slept: list[float]) -> None:
        assert not BusyWait(0)(0)
        assert slept == []

    def test_another_writer_is_waited_for(self, tmp_path: Path) -> None:
        with Database(tmp_path / "some.db", busy_timeout_ms=60_000) as db:
            other = apsw.Connection(db.path)
            other.execute("BEGIN IMMEDIATE").fetchall()
            end = threading.Timer(0.05, other.close)
            end.start()

            with db.session():
                db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT")

            end.join()
            assert db.execute("SELECT count(*) FROM item") == [(0,)]

    def test_its_time_is_told_in_milliseconds(self) -> None:
        assert BusyWait(1500).timeout_s == 1.5

    def test_each_lock_is_waited_for_anew(self, slept: list[float]) -> None:
        wait = BusyWait(0)
        wait(0)
        wait.timeout_s = 100

        assert not wait(1)
        assert wait(0)


def test_every_setting_that_is_wrong_is_named_with_what_it_must_be(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "some.db"))
    connection.execute("PRAGMA synchronous = off").fetchall()
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        connection.config(option, 1)

    wrong = wrong_settings(connection, str(tmp_path / "some.db"), read_only=False)
    wrong_read_only = wrong_settings(connection, str(tmp_path / "some.db"), read_only=True)

    connection.close()
    assert wrong == [
        ("double-quoted strings in statements", 0, 1),
        ("double-quoted strings in the schema", 0, 1),
        ("foreign keys", 1, 0),
        ("trusted schema", 0, 1),
        ("defensive mode", 1, 0),
        ("stable query plans", 1, 0),
        ("cache_size", -32768, -2000),
        ("foreign_keys", 1, 0),
        ("recursive_triggers", 1, 0),
        ("synchronous", 2, 0),
        ("temp_store", 1, 0),
        ("trusted_schema", 0, 1),
        ("journal_mode", "wal", "delete"),
        ("journal_size_limit", 8 * 2**20, -1),
    ]
    assert wrong_read_only == wrong[:-2]


def test_a_log_that_a_held_reader_let_grow_shrinks_once_the_reader_is_gone(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as db:
        with db.session():
            db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, pixels BLOB) STRICT")
        reader = apsw.Connection(db.path)
        reader.execute("BEGIN; SELECT count(*) FROM item").fetchall()
        for size in (9, 1, 1, 1):
            with db.session():
                db.execute("INSERT INTO item (pixels) VALUES (zeroblob(?))", (size * 2**20,))
        held = Path(f"{db.path}-wal").stat().st_size
        reader.close()
        for _ in range(2):  # the first one checkpoints the log, the second begins it anew
            with db.session():
                db.execute("INSERT INTO item (pixels) VALUES (zeroblob(1))")

        assert held > 12 * 2**20
        assert Path(f"{db.path}-wal").stat().st_size == 8 * 2**20


def test_read_only_sqlite_itself_refuses_to_write(tmp_path: Path) -> None:
    Database(tmp_path / "some.db").close()

    with Database(tmp_path / "some.db", read_only=True) as db, pytest.raises(ResourceError, match="opened read-only"):
        db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT")


def test_read_only_a_file_without_a_write_ahead_log_is_taken_as_it_is(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "some.db"))
    connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT").fetchall()
    connection.close()

    with Database(tmp_path / "some.db", read_only=True) as db:
        assert db.execute("SELECT count(*) FROM item") == [(0,)]
        assert db.execute("PRAGMA journal_mode") == [("delete",)]


def test_a_header_that_a_power_cut_has_torn_is_mended_from_the_log(tmp_path: Path) -> None:
    (tmp_path / "after").mkdir()
    with Catalog(tmp_path / "catalog.db") as catalog:
        catalog.add_source("disk")
        for name in ("catalog.db", "catalog.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "after" / name)
    with (tmp_path / "after" / "catalog.db").open("r+b") as file:
        file.write(b"\xff" * 100)

    with Database(tmp_path / "after" / "catalog.db") as mended:
        assert mended.execute("SELECT name FROM source") == [("disk",)]
        assert mended.execute("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("log", ["-wal", "-journal"])
def test_an_empty_log_does_not_make_a_foreign_file_ours(tmp_path: Path, log: str) -> None:
    (tmp_path / "some.db").write_text("x")  # SQLite takes that for an empty file
    (tmp_path / f"some.db{log}").touch()

    with pytest.raises(ResourceError, match="not a SQLite database"):
        Database(tmp_path / "some.db")

    assert (tmp_path / "some.db").read_text() == "x"


@pytest.mark.parametrize("denied", [os.W_OK, os.X_OK])
def test_a_folder_that_takes_no_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: int) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & denied)  # root may write anywhere: so it is answered here

    with pytest.raises(ResourceError, match="may not be written by this user"):
        Database(tmp_path / "some.db")

    assert not (tmp_path / "some.db").exists()


def test_a_file_that_may_not_be_written_can_be_opened_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(tmp_path / "some.db").close()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)

    with pytest.raises(ResourceError, match="open it read-only"):
        Database(tmp_path / "some.db")

    with Database(tmp_path / "some.db", read_only=True) as db:
        assert db.execute("SELECT 1") == [(1,)]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(tmp_path / "some.db").close()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)

    with pytest.raises(ResourceError, match=r"some\.db' may not be read by this user"):
        Database(tmp_path / "some.db")
