"""Ours and its peers behind one small interface, each used as its own documentation says."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Any, ClassVar

import apsw

import retrovue_uow

SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE trap (id INTEGER PRIMARY KEY);
CREATE TRIGGER trap_springs BEFORE INSERT ON trap BEGIN SELECT raise(ROLLBACK, 'sprung'); END;
CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO item VALUES (1, 'first');
"""
BUSY_TIMEOUT_S = 0.2

Block = AbstractContextManager[object]


def _module(name: str) -> Any:
    """A peer's module, or None where the extra `bench` is not installed. Untyped: the type check runs without the extra."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


beets_db = _module("beets.dbcore.db")
django = _module("django")
django_conf = _module("django.conf")
django_db = _module("django.db")
peewee = _module("peewee")
sqlalchemy = _module("sqlalchemy")
sqlalchemy_orm = _module("sqlalchemy.orm")
sqlite_utils = _module("sqlite_utils")


class Contender(ABC):
    """A library, with one connection open on one file that nobody else writes.

    Attributes:
        name: The library and the context manager that is judged.
    """

    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def installed() -> str | None:
        """The version of the library; None where it is not installed."""

    @staticmethod
    def connect(path: str) -> Any:
        """Another connection through the same copy of SQLite: two copies in one process drop each other's locks."""
        return sqlite3.connect(path)

    def __init__(self, path: str) -> None:
        self.path = path

    @abstractmethod
    def unit(self) -> Block:
        """The outermost block."""

    @abstractmethod
    def nested(self) -> Block:
        """A block inside another one."""

    def survivable(self) -> Block:
        """A nested block whose failure may be survived; most libraries have but one kind."""
        return self.nested()

    @abstractmethod
    def execute(self, sql: str) -> object:
        """Run one statement as users of the library run SQL."""

    def on_commit(self, hook: Callable[[], None]) -> bool:
        """Have `hook` called after COMMIT; False where the library knows no such thing."""
        return False

    @abstractmethod
    def raw(self) -> Any:
        """The driver's own connection."""

    def in_transaction(self) -> bool:
        """Whether the driver has a transaction open."""
        return bool(self.raw().in_transaction)

    def close(self) -> None:
        """Close the driver's connection, whatever state a scenario has left."""
        self.raw().close()


class Ours(Contender):
    """`retrovue_uow.Database.session`."""

    name = "retrovue_uow"

    @staticmethod
    def installed() -> str | None:
        return version("retrovue_uow")

    @staticmethod
    def connect(path: str) -> Any:
        return apsw.Connection(path)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._database = retrovue_uow.Database(path, busy_timeout_ms=int(BUSY_TIMEOUT_S * 1000))

    def unit(self) -> Block:
        return self._database.session()

    def nested(self) -> Block:
        return self._database.session()

    def survivable(self) -> Block:
        return self._database.session(contain=True)

    def execute(self, sql: str) -> object:
        return self._database.execute(sql)

    def on_commit(self, hook: Callable[[], None]) -> bool:
        self._database.on_commit(hook)
        return True

    def raw(self) -> Any:
        return self._database.connection


class Apsw(Contender):
    """APSW's `with connection:`."""

    name = "APSW `with connection`"

    @staticmethod
    def installed() -> str | None:
        return apsw.apsw_version()

    @staticmethod
    def connect(path: str) -> Any:
        return apsw.Connection(path)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._connection = apsw.Connection(path)
        self._connection.set_busy_timeout(int(BUSY_TIMEOUT_S * 1000))
        self._connection.execute("PRAGMA foreign_keys = ON")

    def unit(self) -> Block:
        return self._connection

    def nested(self) -> Block:
        return self._connection

    def execute(self, sql: str) -> object:
        return self._connection.execute(sql).fetchall()

    def raw(self) -> Any:
        return self._connection


class Sqlite3(Contender):
    """The standard library's `with connection:`."""

    name = "sqlite3 `with connection`"

    @staticmethod
    def installed() -> str | None:
        return f"Python {sys.version.split()[0]}"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
        self._connection.execute("PRAGMA foreign_keys = ON")

    def unit(self) -> Block:
        return self._connection

    def nested(self) -> Block:
        return self._connection

    def execute(self, sql: str) -> object:
        return self._connection.execute(sql).fetchall()

    def raw(self) -> Any:
        return self._connection


class SqliteUtils(Contender):
    """sqlite-utils' `atomic()` or, in versions without it, the documented `with db.conn:`."""

    name = "sqlite-utils `atomic`"

    @staticmethod
    def installed() -> str | None:
        return version("sqlite-utils") if sqlite_utils else None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._database = sqlite_utils.Database(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S))
        self._database.conn.execute("PRAGMA foreign_keys = ON")

    def unit(self) -> Block:
        block: Block = self._database.atomic() if hasattr(self._database, "atomic") else self._database.conn
        return block

    def nested(self) -> Block:
        return self.unit()

    def execute(self, sql: str) -> object:
        return self._database.execute(sql).fetchall()

    def raw(self) -> Any:
        return self._database.conn


class Peewee(Contender):
    """peewee's `database.atomic`."""

    name = "peewee `atomic`"

    @staticmethod
    def installed() -> str | None:
        return str(peewee.__version__) if peewee else None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._database = peewee.SqliteDatabase(path, pragmas={"foreign_keys": 1}, timeout=BUSY_TIMEOUT_S)
        self._database.connect()

    def unit(self) -> Block:
        block: Block = self._database.atomic()
        return block

    def nested(self) -> Block:
        return self.unit()

    def execute(self, sql: str) -> object:
        return self._database.execute_sql(sql).fetchall()

    def on_commit(self, hook: Callable[[], None]) -> bool:
        if not hasattr(self._database, "after_commit"):
            return False
        self._database.after_commit(hook)
        return True

    def raw(self) -> Any:
        return self._database.connection()


class Django(Contender):
    """Django's `transaction.atomic`."""

    name = "Django `atomic`"

    @staticmethod
    def installed() -> str | None:
        return str(django.get_version()) if django else None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        if not django_conf.settings.configured:
            django_conf.settings.configure(DATABASES={})
            django.setup()
        options = {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": {"timeout": BUSY_TIMEOUT_S}}
        connections = django_db.connections
        connections.databases[path] = connections.configure_settings({"default": {}, path: options})[path]
        self._connection = connections[path]
        self._connection.ensure_connection()

    def unit(self) -> Block:
        block: Block = django_db.transaction.atomic(using=self.path)
        return block

    def nested(self) -> Block:
        return self.unit()

    def execute(self, sql: str) -> object:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def on_commit(self, hook: Callable[[], None]) -> bool:
        django_db.transaction.on_commit(hook, using=self.path)
        return True

    def raw(self) -> Any:
        return self._connection.connection


class SqlAlchemyCore(Contender):
    """SQLAlchemy's `Connection.begin` and `begin_nested`, with BEGIN as its page on SQLite's SAVEPOINT has it."""

    name = "SQLAlchemy Core `begin`"

    @staticmethod
    def installed() -> str | None:
        return str(sqlalchemy.__version__) if sqlalchemy else None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
        sqlalchemy.event.listen(self._engine, "connect", self._on_connect)
        sqlalchemy.event.listen(self._engine, "begin", _on_begin)
        self._transactions = self._opened()

    def _opened(self) -> Any:
        return self._engine.connect()

    def _on_connect(self, connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        self._driver = connection

    def unit(self) -> Block:
        block: Block = self._transactions.begin()
        return block

    def nested(self) -> Block:
        block: Block = self._transactions.begin_nested()
        return block

    def execute(self, sql: str) -> object:
        result = self._transactions.exec_driver_sql(sql)
        return result.fetchall() if result.returns_rows else []

    def raw(self) -> Any:
        return self._driver

    def close(self) -> None:
        self._transactions.invalidate()
        self._engine.dispose()
        self._driver.close()


class SqlAlchemySession(SqlAlchemyCore):
    """SQLAlchemy's `Session.begin` and `begin_nested`."""

    name = "SQLAlchemy `Session.begin`"

    def _opened(self) -> Any:
        self._engine.connect().close()  # into the pool, from which every unit takes it
        return sqlalchemy_orm.Session(self._engine)

    def execute(self, sql: str) -> object:
        result = self._transactions.execute(sqlalchemy.text(sql))
        return result.fetchall() if result.returns_rows else []

    def on_commit(self, hook: Callable[[], None]) -> bool:
        sqlalchemy.event.listen(self._transactions, "after_commit", lambda _: hook(), once=True)
        return True


def _on_begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


class Beets(Contender):
    """beets' `Database.transaction`, which nests without savepoints."""

    name = "beets `transaction`"

    @staticmethod
    def installed() -> str | None:
        return version("beets") if beets_db else None

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._database = beets_db.Database(path, timeout=BUSY_TIMEOUT_S)
        self._statements = self._database.transaction()
        self.raw().execute("PRAGMA foreign_keys = ON")

    def unit(self) -> Block:
        block: Block = self._database.transaction()
        return block

    def nested(self) -> Block:
        return self.unit()

    def execute(self, sql: str) -> object:
        return self._statements.query(sql)

    def raw(self) -> Any:
        return self._database._connection()  # noqa: SLF001  it has no public way to the driver


CONTENDERS: tuple[type[Contender], ...] = (
    Ours,
    Django,
    SqlAlchemySession,
    SqlAlchemyCore,
    Peewee,
    SqliteUtils,
    Beets,
    Apsw,
    Sqlite3,
)


@contextmanager
def opened(contender: type[Contender], path: str) -> Iterator[Contender]:
    """The contender on a new file in WAL mode with the tables of the scenarios."""
    connection = contender.connect(path)
    for statement in ("PRAGMA journal_mode = WAL", "BEGIN", *SCHEMA.strip().splitlines(), "COMMIT"):
        connection.execute(statement).fetchall()
    connection.close()
    subject = contender(path)
    try:
        yield subject
    finally:
        subject.close()
