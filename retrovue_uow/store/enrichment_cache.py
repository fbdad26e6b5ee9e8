"""What enrichers found, kept in a file of its own beside the catalogue, so that an ingest that failed need not ask them again.

It may be deleted at any time, and where it cannot be used it costs time and nothing else. Its contents are nobody's truth:
no unit of work knows of it.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from retrovue_uow.errors import ResourceError
from retrovue_uow.log import logger
from retrovue_uow.uow.connection import MEMORY, make_as_private
from retrovue_uow.uow.owner import is_inherited

T = TypeVar("T")
MAX_BYTES = 256 * 2**20
_APPLICATION_ID = 0x52565543
"""`RVUC` in ASCII."""
_FORMAT = 1
_SUFFIX = ".cache.db"
_BUSY_MS = 250
_WRITE_EVERY_S = 2.0
_WRITE_BYTES = 2**20
_HELD_BYTES = 8 * 2**20
"""How much is held in memory, at most, while the file cannot be written."""
_REST_S = 5.0
"""How long a file that failed is left alone."""
_SAME_USE_S = 3600
"""Reading an entry again within this time is no news, and costs no write."""

_TABLE = """
CREATE TABLE IF NOT EXISTS entry (
    id     INTEGER PRIMARY KEY,
    key    TEXT    NOT NULL UNIQUE,
    packed BLOB    NOT NULL,                                        -- zlib
    used   INTEGER NOT NULL                                         -- seconds since the epoch
) STRICT
"""
_INDEX = "CREATE INDEX IF NOT EXISTS entry_used ON entry (used)"
_JUDGE = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
  FROM pragma_application_id, pragma_user_version
"""
_GET = "SELECT packed, used FROM entry WHERE key = ?"
_PUT = """
INSERT INTO entry (key, packed, used)
VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE
   SET packed = excluded.packed,
       used = excluded.used
"""
_TOUCH = "UPDATE entry SET used = ? WHERE key = ?"
_FORGET = """
DELETE FROM entry
 WHERE id IN (SELECT id FROM entry ORDER BY used, id LIMIT 1 + (SELECT count(*) FROM entry) / 8)
"""
_HOLDS_MORE_THAN = """
SELECT (page_count - freelist_count) * page_size > ?
  FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


def beside(catalog_path: str) -> str:
    """Where the cache of a catalogue is; that of one in memory is in memory too."""
    return MEMORY if catalog_path == MEMORY else catalog_path + _SUFFIX


class _OtherFormatError(Exception):
    """The file is a cache of ours, as another version of the library writes it."""


_BEYOND_USE = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.SQLError,  # such as a table that is not there
    _OtherFormatError,
)


class EnrichmentCache:
    """Texts by key; the least recently used ones go when there are too many. For any thread; what goes wrong is only logged.

    Args:
        path: The file, or `":memory:"`. It is opened when it is first needed.
        max_bytes: How large the file may become.
    """

    def __init__(self, path: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._file = _File(path)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._unwritten: dict[str, bytes] = {}
        self._unwritten_bytes = 0
        self._used: set[str] = set()
        self._written_at = time.monotonic()
        self._is_closed = False
        _made_here.add(self)

    def get(self, key: str) -> str | None:
        """What was last put there, if it is still known."""
        with self._lock:
            packed = self._unwritten.get(key) or self._read(key)
        return None if packed is None else _unpacked(packed)

    def put(self, key: str, text: str) -> None:
        """Keep `text`, unless it alone would fill an eighth of the file; it is on disk seconds later, or after `flush`."""
        packed = zlib.compress(text.encode(), 1)
        with self._lock:
            if self._is_closed or len(packed) > self._max_bytes // 8:
                return
            self._hold(key, packed)
            if self._is_time_to_write():
                self._write()

    def flush(self) -> None:
        """Write what was put; where the file cannot be written, hold it until it can."""
        with self._lock:
            self._file.rests_until = 0.0
            self._write()

    def close(self) -> None:
        """Write what was put and close the file; from then on nothing is known, and nothing kept."""
        self.flush()
        with self._lock:
            self._file.close()
            self._end()

    def _read(self, key: str) -> bytes | None:
        rows = None if self._is_closed else self._file.use(lambda connection: connection.execute(_GET, (key,)).fetchall())
        packed, used = rows[0] if rows else (None, None)
        if isinstance(used, int) and used < time.time() - _SAME_USE_S:
            self._used.add(key)
        return packed if isinstance(packed, bytes) else None

    def _hold(self, key: str, packed: bytes) -> None:
        if self._unwritten_bytes > _HELD_BYTES:
            self._let_go()
        self._unwritten_bytes += len(packed) - len(self._unwritten.get(key, b""))
        self._unwritten[key] = packed

    def _let_go(self) -> None:
        self._unwritten = {}
        self._unwritten_bytes = 0
        self._used = set()

    def _is_time_to_write(self) -> bool:
        now = time.monotonic()
        is_much = self._unwritten_bytes >= _WRITE_BYTES or now >= self._written_at + _WRITE_EVERY_S
        return is_much and now >= self._file.rests_until

    def _write(self) -> None:
        if not self._unwritten and not self._used:
            return
        if self._file.use(self._write_to):
            self._let_go()
        self._written_at = time.monotonic()

    def _write_to(self, connection: apsw.Connection) -> bool:
        now = int(time.time())
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_PUT, [(key, packed, now) for key, packed in self._unwritten.items()])
        connection.executemany(_TOUCH, [(now, key) for key in self._used])
        while _holds_more_than(connection, self._max_bytes) and _forget_oldest(connection):
            continue
        connection.execute("COMMIT")
        return True

    def _end(self) -> None:
        self._let_go()
        self._is_closed = True

    def shut(self) -> None:
        """Before a fork: close the file, unless another thread uses it; it is opened again when it is needed."""
        if self._lock.acquire(blocking=False):
            try:
                self._file.shut()
            finally:
                self._lock.release()

    def disown(self) -> None:
        """In a forked child: do without."""
        self._lock = threading.Lock()
        self._file.disown()
        self._end()


class _File:
    """The file, opened when it is needed and given up when it fails.

    Attributes:
        rests_until: Before this time a file that failed is not opened again, nor written.
    """

    def __init__(self, path: str) -> None:
        self.rests_until = 0.0
        self._path = path
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._logged: set[str] = set()

    def use(self, act: Callable[[apsw.Connection], T]) -> T | None:
        """What `act` returns; None where the file cannot be used just now."""
        try:
            connection = self._usable()
            return None if connection is None else act(connection)
        except _BEYOND_USE as error:
            self.close()
            self._remove(error)
        except apsw.BusyError as error:
            self._rest(error)
        except (apsw.Error, OSError, ResourceError) as error:
            self.close()
            self._rest(error)
        except BaseException:
            self.close()
            raise
        return None

    def _usable(self) -> apsw.Connection | None:
        """The connection, opened if need be; None where it is too early to try again."""
        if self._connection is not None:
            if self._identity == _identity(self._path) and not self._connection.in_transaction:
                return self._connection
            self.close()  # the file was deleted, or a write interrupted
        if time.monotonic() < self.rests_until:
            return None
        self._connection = _opened(self._path)
        self._identity = _identity(self._path)
        return self._connection

    def _remove(self, reason: Exception) -> None:
        """Remove the file; the next use makes a new one."""
        self._log("enrichment_cache_replaced", reason)
        try:
            for side_file in ("-wal", "-shm", "-journal", ""):  # the file last: whoever makes a new one finds no old log
                Path(f"{self._path}{side_file}").unlink(missing_ok=True)
        except OSError as error:
            self._rest(error)

    def _rest(self, reason: Exception) -> None:
        self._log("enrichment_cache_unusable", reason)
        self.rests_until = time.monotonic() + _REST_S

    def _log(self, event: str, reason: Exception) -> None:
        if event not in self._logged:
            self._logged.add(event)
            logger.warning(event, path=self._path, error=type(reason).__name__, message=str(reason))

    def close(self) -> None:
        """Close the connection, if there is one; what it has not committed is gone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)

    def shut(self) -> None:
        """Close the connection, unless it is being written."""
        if self._connection is not None and not self._connection.in_transaction:
            self.close()

    def disown(self) -> None:
        """In a forked child: let go of the connection without ever closing it, for that could undo the parent's work."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        self._connection = None


def _unpacked(packed: bytes) -> str | None:
    try:
        return zlib.decompress(packed).decode()
    except (zlib.error, UnicodeDecodeError):
        return None


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of the file; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _opened(path: str) -> apsw.Connection:
    if is_inherited(path):
        raise ResourceError(f"{path!r} was in use in the parent process when this one was forked")
    is_new = path != MEMORY and not os.path.lexists(path)
    connection = apsw.Connection(path)
    try:
        if is_new:
            make_as_private(path.removesuffix(_SUFFIX), path)  # while it is empty
        if connection.readonly("main"):
            raise ResourceError(f"{path!r} may not be written by this user: give it away, or delete it")
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("PRAGMA synchronous = normal").fetchall()
        if not _is_shaped(connection, path):
            _shape(connection)
        connection.execute("PRAGMA journal_mode = wal").fetchall()
    except BaseException:
        connection.close(True)
        raise
    return connection


def _is_shaped(connection: apsw.Connection, path: str) -> bool:
    """Whether the file is a cache already; False: it is empty."""
    ((application_id, version, tables),) = connection.execute(_JUDGE).fetchall()
    if tables and application_id != _APPLICATION_ID:
        raise ResourceError(f"{path!r} is a database of another program: move it away, so that results can be kept there")
    if tables and version != _FORMAT:
        raise _OtherFormatError(f"format {version}, not {_FORMAT}")
    return bool(tables)


def _shape(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_TABLE)
    connection.execute(_INDEX)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}").fetchall()
    connection.execute(f"PRAGMA user_version = {_FORMAT}").fetchall()
    connection.execute("COMMIT")


def _holds_more_than(connection: apsw.Connection, size: int) -> bool:
    return connection.execute(_HOLDS_MORE_THAN, (size,)).fetchall() == [(1,)]


def _forget_oldest(connection: apsw.Connection) -> bool:
    """Whether there was anything to forget."""
    connection.execute(_FORGET)
    return connection.changes() > 0


_made_here: weakref.WeakSet[EnrichmentCache] = weakref.WeakSet()


def _shut_all() -> None:
    for cache in list(_made_here):
        cache.shut()


def _disown_all() -> None:
    for cache in list(_made_here):
        cache.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_shut_all, after_in_child=_disown_all)
