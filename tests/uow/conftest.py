"""A plain SQLite file, as the unit of work sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from retrovue_uow import Database

SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE) STRICT;
CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE TABLE strict_item (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK) STRICT;
CREATE TABLE trap (id INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER trap_springs BEFORE INSERT ON trap BEGIN SELECT raise(ROLLBACK, 'sprung'); END;
CREATE TABLE outer_trap (id INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER outer_trap_springs AFTER INSERT ON outer_trap BEGIN INSERT INTO trap VALUES (new.id); END;
CREATE VIRTUAL TABLE note USING fts5(text);
CREATE TABLE picture (id INTEGER PRIMARY KEY, pixels BLOB NOT NULL) STRICT;
INSERT INTO item VALUES (1, 'first');
INSERT INTO picture VALUES (1, zeroblob(10));
INSERT INTO strict_item VALUES (1);
"""

Names = Callable[[], list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    database = Database(path, busy_timeout_ms=200, write_wait_s=5)
    with database.session():
        database.execute(SCHEMA)
    yield database
    database.connection.close()  # even where a test left a unit open


@pytest.fixture
def names(db: Database, path: Path) -> Names:
    """The names of the durable items, as a connection of its own sees them."""

    def read() -> list[str]:
        other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return [str(name) for (name,) in other.execute("SELECT name FROM item ORDER BY id").fetchall()]
        finally:
            other.close()

    return read


@pytest.fixture
def works(db: Database, names: Names) -> Callable[[], None]:
    """Asserts that the next unit on the same handle works, without help."""

    def check() -> None:
        assert not db.in_unit
        with db.session():
            db.execute("INSERT INTO item (name) VALUES ('the next unit')")
        assert names()[-1] == "the next unit"
        with db.session():
            db.execute("DELETE FROM item WHERE name = 'the next unit'")
        assert not db.connection.in_transaction

    return check
