"""Who is working on which collection: one claim for each, known to every process, and gone with a holder that dies.

A claim is a kernel lock on a small file of its own, which says who holds it. The file is worth nothing after a crash: it is
never synced, and the next holder writes over it.
"""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack
from pathlib import Path

from retrovue_uow.errors import ConflictError, Holder, ResourceError
from retrovue_uow.store.ids import utc_now
from retrovue_uow.uow.connection import MEMORY, mode_beside
from retrovue_uow.uow.writer_queue import HAS_LOCKS, FileLock


class Claim:
    """A claim that is held; `release` gives it back. Taking it again within the same catalogue counts up."""

    def __init__(self, key: str, lock: FileLock | None, held: dict[str, Claim]) -> None:
        self.key, self.lock, self.count = key, lock, 0
        self._held = held

    def release(self) -> None:
        """Give the claim back, once for each time it was taken."""
        self.count -= 1
        if self.count == 0:
            self.drop()

    def drop(self) -> None:
        """Give the claim back, however often it was taken."""
        if self._held.pop(self.key, None) is not None and self.lock is not None:
            self.lock.release()


class Claims:
    """The claims of one catalogue file, in a folder beside it; of an in-memory one, in this process."""

    def __init__(self, catalog_path: str) -> None:
        self.folder = None if catalog_path == MEMORY or not HAS_LOCKS else Path(f"{catalog_path}.claims")
        self._catalog_path = catalog_path
        self._held: dict[str, Claim] = {}
        _made_here.add(self)

    def take(self, key: str, operation: str) -> Claim:
        """The claim on `key`.

        Raises:
            ConflictError: Somebody else holds it; `.holder` says who.
            ResourceError: The folder of the claims cannot be written.
        """
        if key not in self._held:
            lock = None if self.folder is None else self._locked(self.folder, key, operation)
            self._held[key] = Claim(key, lock, self._held)
        self._held[key].count += 1
        return self._held[key]

    def close(self) -> None:
        """Give back every claim that is still held."""
        with ExitStack() as claims:  # all of them, also where one fails
            for claim in list(self._held.values()):
                claims.callback(claim.drop)

    def disown(self) -> None:
        """In a forked child: hold nothing, and keep nothing held."""
        for claim in list(self._held.values()):
            if claim.lock is not None:
                claim.lock.close()
        self._held.clear()

    def _locked(self, folder: Path, key: str, operation: str) -> FileLock:
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                mode = mode_beside(self._catalog_path)
                folder.chmod(mode | (mode & 0o444) >> 2)  # who may read the catalogue may look for its claims
        except OSError as error:
            if not isinstance(error, FileExistsError) or not folder.is_dir():  # else another process has made it just now
                raise ResourceError(f"folder {str(folder)!r} of the claims cannot be written: {error.strerror}") from error
        lock = FileLock(self._catalog_path, str(folder / f"{key}.db"))
        if not lock.acquire(0, facts={"operation": operation, "started_at": utc_now()}):
            raise _conflict(lock, key)
        return lock


def _conflict(lock: FileLock, key: str) -> ConflictError:
    said = lock.holder()
    operation, pid, started_at = said.get("operation"), said.get("pid"), said.get("started_at")
    if not isinstance(operation, str) or not isinstance(pid, int) or not isinstance(started_at, str):
        return ConflictError(
            f"collection {key!r} is in use by another process: wait until it is done", holder=Holder("", 0, "")
        )
    return ConflictError(
        f"collection {key!r} is in use: {operation} of process {pid} has been working on it since {started_at}; "
        "wait until it is done",
        holder=Holder(operation, pid, started_at),
    )


_made_here: weakref.WeakSet[Claims] = weakref.WeakSet()


def _disown_all() -> None:
    for claims in list(_made_here):
        claims.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
