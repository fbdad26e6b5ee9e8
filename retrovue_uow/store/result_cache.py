"""What probing found, kept in a file of its own beside the catalogue, so that an ingest that failed need not probe again.

It may be deleted at any time, and where it cannot be used that costs time and nothing else: no unit of work knows of it.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import apsw

from retrovue_uow.errors import ResourceError
from retrovue_uow.log import logger
from retrovue_uow.uow.connection import MEMORY, make_as_private
from retrovue_uow.uow.owner import is_inherited

T = TypeVar("T")
MAX_BYTES = 256 * 2**20
_APPLICATION_ID = 0x52565543
"""`RVUC` in ASCII."""
_FORMAT = 2
_BUSY_MS = 250
_WRITE_EVERY_S = 2.0

_TABLE = """
CREATE TABLE entry (
    id     INTEGER PRIMARY KEY,                                     -- in the order of writing
    key    TEXT    NOT NULL UNIQUE,
    packed BLOB    NOT NULL                                         -- zlib
) STRICT
"""
_JUDGE = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
  FROM pragma_application_id, pragma_user_version
"""
_GET = "SELECT key, packed FROM entry WHERE key = ?"
_PUT = """
INSERT INTO entry (key, packed)
VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE
   SET packed = excluded.packed
"""
_FORGET_OLDEST = """
DELETE FROM entry
 WHERE id <= (SELECT id FROM entry ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 8 FROM entry))
   AND (SELECT (page_count - freelist_count) * page_size > ?
          FROM pragma_page_count, pragma_freelist_count, pragma_page_size)
"""


class ResultCache:
    """Texts by key, for the time of one preparation: a block that ends by writing what was put. For any thread; never raises.

    What goes wrong is logged once. A catalogue in memory has no cache.

    Args:
        max_bytes: How large the file may become before an eighth of its entries is forgotten, the oldest first.
    """

    def __init__(self, catalog_path: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._catalog_path = catalog_path
        self._path = f"{catalog_path}.cache.db"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._unwritten: dict[str, bytes] = {}
        self._write_at = time.monotonic() + _WRITE_EVERY_S
        self._is_logged = False

    def __enter__(self) -> ResultCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._write()

    def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Those of the texts that are known, by key."""
        if self._catalog_path == MEMORY or not os.path.exists(self._path):
            return {}
        texts: dict[str, str] = {}
        for key, packed in self._use(lambda connection: _entries(connection, self._path, keys)) or ():
            # What is no blob, or not such a one, is forgotten.
            with suppress(zlib.error, TypeError, UnicodeDecodeError):
                texts[key] = zlib.decompress(packed).decode()
        return texts

    def put(self, key: str, text: str) -> None:
        """Keep `text`; it is on disk some seconds later, or when the block ends."""
        packed = zlib.compress(text.encode(), 1)
        with self._lock:
            self._unwritten[key] = packed
            if time.monotonic() >= self._write_at:
                self._write()

    def _write(self) -> None:
        """Write what was put; what cannot be written now is held until the next time."""
        if self._unwritten and self._catalog_path != MEMORY and self._use(self._write_to):
            self._unwritten = {}
        self._write_at = time.monotonic() + _WRITE_EVERY_S

    def _write_to(self, connection: apsw.Connection) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        if not _is_shaped(connection, self._path):
            connection.execute("DROP TABLE IF EXISTS entry")  # of another format
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}").fetchall()
            connection.execute(f"PRAGMA user_version = {_FORMAT}").fetchall()
        connection.executemany(_PUT, self._unwritten.items())
        connection.execute(_FORGET_OLDEST, (self._max_bytes,))
        connection.execute("COMMIT")
        return True

    def _use(self, act: Callable[[apsw.Connection], T]) -> T | None:
        """What `act` returns; None where the file cannot be used now.

        The file is open for this moment only: nobody closes a connection in the wrong process or after an interrupt.
        """
        try:
            connection = self._opened()
            try:
                return act(connection)
            finally:
                connection.close(True)
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:  # the last: such as a table that is not there
            self._log("result_cache_replaced", error)
            self._remove()
        except (apsw.Error, OSError, ResourceError) as error:
            self._log("result_cache_unusable", error)
        return None

    def _opened(self) -> apsw.Connection:
        if is_inherited(self._path):
            raise ResourceError(f"{self._path!r} was in use in the parent process when this one was forked")
        is_new = not os.path.lexists(self._path)
        connection = apsw.Connection(self._path)
        connection.set_busy_timeout(_BUSY_MS)
        if is_new:
            make_as_private(self._catalog_path, self._path)  # while it is empty
        return connection

    def _remove(self) -> None:
        """Remove the file; the next writing makes a new one."""
        try:
            for side_file in ("-wal", "-shm", "-journal", ""):  # the file last: whoever makes a new one finds no old log
                Path(f"{self._path}{side_file}").unlink(missing_ok=True)
        except OSError as error:
            self._log("result_cache_unusable", error)

    def _log(self, event: str, reason: Exception) -> None:
        if not self._is_logged:
            self._is_logged = True
            logger.warning(event, path=self._path, error=type(reason).__name__, message=str(reason))


def _entries(connection: apsw.Connection, path: str, keys: Iterable[str]) -> list[tuple[Any, ...]]:
    connection.execute("BEGIN")
    return connection.executemany(_GET, ((key,) for key in keys)).fetchall() if _is_shaped(connection, path) else []


def _is_shaped(connection: apsw.Connection, path: str) -> bool:
    """Whether the file is a cache of this format; False: it is empty, or of another format of ours."""
    ((application_id, version, tables),) = connection.execute(_JUDGE).fetchall()
    if tables and application_id != _APPLICATION_ID:
        raise ResourceError(f"{path!r} is a database of another program: move it away, so that results can be kept there")
    return bool(tables) and version == _FORMAT
