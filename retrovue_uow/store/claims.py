"""Who is working on which collection: one claim for each, known to every process, and gone with a holder that dies.

A claim is SQLite's RESERVED lock on a tiny database of its own: the kernel frees it with the process, it lets everybody else
read who holds it, and it leaves the catalogue itself alone (https://www.sqlite.org/lockingv3.html).
"""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from pathlib import Path

import apsw
import attrs

from retrovue_uow.errors import ConflictError, ResourceError
from retrovue_uow.model import Holder
from retrovue_uow.store.connection import MEMORY, translated
from retrovue_uow.store.identity import utc_now

_TRIES = 10
_BUSY_MS = 250
_TABLE = """
CREATE TABLE IF NOT EXISTS claim (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    token      TEXT NOT NULL,
    operation  TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    started_at TEXT NOT NULL                                        -- UTC
) STRICT
"""
_SIGN = """
INSERT INTO claim (id, token, operation, pid, started_at)
VALUES (1, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE
   SET token = excluded.token,
       operation = excluded.operation,
       pid = excluded.pid,
       started_at = excluded.started_at
"""


@attrs.define(eq=False)
class Claim:
    """A claim that is held; `release` gives it back. Taking it again within the same catalogue counts up."""

    key: str
    _lock: apsw.Connection | None
    _held: dict[str, Claim]
    _count: int = 1

    def again(self) -> Claim:
        """The same claim, to be released once more."""
        self._count += 1
        return self

    def release(self) -> None:
        """Give the claim back, once for each time it was taken."""
        self._count -= 1
        if self._count == 0:
            self.drop()

    def drop(self) -> None:
        """Give the claim back, however often it was taken."""
        if self._held.pop(self.key, None) is not None and self._lock is not None:
            self._lock.close()


class Claims:
    """The claims of one catalogue file, in a folder beside it; of an in-memory one, in this process."""

    def __init__(self, catalog_path: str) -> None:
        self.folder = None if catalog_path == MEMORY else Path(f"{catalog_path}.claims")
        self._held: dict[str, Claim] = {}

    def take(self, key: str, operation: str) -> Claim:
        """The claim on `key`.

        Raises:
            ConflictError: Somebody else holds it; `.holder` says who.
            ResourceError: The folder of the claims cannot be written.
        """
        if key in self._held:
            return self._held[key].again()
        lock = None if self.folder is None else self._locked(self.folder, key, operation)
        claim = self._held[key] = Claim(key, lock, self._held)
        return claim

    def close(self) -> None:
        """Give every claim back, whoever still holds it."""
        with ExitStack() as claims:  # all of them, also where one fails
            for claim in list(self._held.values()):
                claims.callback(claim.drop)

    def _locked(self, folder: Path, key: str, operation: str) -> apsw.Connection:
        path = folder / f"{key}.db"
        try:
            folder.mkdir(exist_ok=True)
            lock = apsw.Connection(str(path))
        except OSError as error:
            raise ResourceError(f"folder {str(folder)!r} of the claims cannot be written: {error.strerror}") from error
        except apsw.Error as error:
            raise translated(error, str(path)) from error
        try:
            _take(lock, key, operation)
        except apsw.Error as error:
            lock.close()
            raise translated(error, str(path)) from error
        except BaseException:
            lock.close()
            raise
        return lock


def _take(lock: apsw.Connection, key: str, operation: str) -> None:
    """Sign first, for others to read; then take the lock that is the claim; and make sure that the signature is ours."""
    lock.set_busy_timeout(_BUSY_MS)
    token = uuid.uuid4().hex
    for _ in range(_TRIES):
        try:
            lock.execute("BEGIN IMMEDIATE").fetchall()
            lock.execute(_TABLE).fetchall()
            lock.execute(_SIGN, (token, operation, os.getpid(), utc_now())).fetchall()
            lock.execute("COMMIT").fetchall()
            lock.execute("BEGIN IMMEDIATE").fetchall()
        except apsw.BusyError as error:
            raise _conflict(lock, key) from error
        if lock.execute("SELECT token FROM claim").fetchall() == [(token,)]:
            return
        lock.execute("ROLLBACK").fetchall()
    raise ResourceError(f"too many processes try to claim collection {key!r} at once: try again")


def _conflict(lock: apsw.Connection, key: str) -> ConflictError:
    if lock.in_transaction:
        lock.execute("ROLLBACK").fetchall()
    rows = lock.execute("SELECT operation, pid, started_at FROM claim").fetchall()
    operation, pid, started_at = rows[0]
    holder = Holder(str(operation), int(str(pid)), str(started_at))
    return ConflictError(
        f"collection {key!r} is in use: {holder.operation} of process {holder.pid} has been working on it since "
        f"{holder.started_at}; wait until it is done",
        holder=holder,
    )
