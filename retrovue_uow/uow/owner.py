"""Who may use an open unit of work: the thread and asyncio task that opened it; nobody else, and no forked child."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from threading import Thread, current_thread

from retrovue_uow.errors import ContractError

_NOBODY_HERE = Thread(name="nobody")  # never started, so it never is the current one


def _current_task() -> asyncio.Task[object] | None:
    loop = asyncio._get_running_loop()  # noqa: SLF001  documented for such use; None where the public one raises
    return None if loop is None else asyncio.current_task(loop)


_inherited: set[tuple[int, int]] = set()


def is_inherited(path: str) -> bool:
    """Whether the file was open when this process was forked. Asks no SQLite, whose mutexes may be held for ever.

    SQLite keeps one account for each file of a process, and a forked child has a copy of it: a connection of the child's own
    would count on locks that are the parent's, and take none.
    """
    if not _inherited or not os.path.exists(path):
        return False
    found = os.stat(path)
    return (found.st_dev, found.st_ino) in _inherited


def _note_inherited() -> None:
    for descriptor in os.listdir("/dev/fd"):
        with suppress(OSError):  # the listing's own descriptor is closed by now
            found = os.fstat(int(descriptor))
            if stat.S_ISREG(found.st_mode):
                _inherited.add((found.st_dev, found.st_ino))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_inherited)


class Owner:
    """The owner of one connection's open unit or snapshot, if there is one.

    Attributes:
        thread: Its thread, and not an identifier, which the system gives out again; None: everybody may come.
        is_dismissed: The owner's block has ended in another thread, so that nobody will leave it in the ordinary way.
    """

    def __init__(self) -> None:
        self.thread: Thread | None = None
        self._task: asyncio.Task[object] | None = None
        self.is_dismissed = False

    def take(self) -> None:
        self.thread, self._task = current_thread(), _current_task()

    def release(self) -> None:
        self.thread = None
        self._task = None
        self.is_dismissed = False

    def disown(self) -> None:
        """In a forked child: let nobody be the owner for ever."""
        self.thread = _NOBODY_HERE

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child's copy."""
        return self.thread is _NOBODY_HERE

    def is_me(self) -> bool:
        return current_thread() is self.thread and _current_task() is self._task

    def is_in_this_thread(self) -> bool:
        """Whether the owner is the calling thread, be it in another task."""
        return current_thread() is self.thread

    def is_gone(self) -> bool:
        """Whether the owner will never come back: its block, its task or its thread has ended."""
        if self.is_dismissed or (self._task is not None and self._task.done()):
            return True
        return self.thread is not None and not self.thread.is_alive()

    def refusal(self, name: str) -> ContractError:
        """What anybody else is told about the database called `name`."""
        if self.is_forked:
            return ContractError(f"database {name!r} was opened before a fork: open it again in this process")
        return ContractError(f"database {name!r} has a unit of work open in another thread or task: open one database for each")
