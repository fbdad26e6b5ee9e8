"""A fair queue of writers, in front of SQLite's own lock, which goes to whoever polls at the right moment.

Two kernel locks on side files make a turnstile: who is next holds the first while waiting for the second, which is the turn
itself. So whoever has just had a turn cannot take the next one while others wait, as it could with a single lock. The kernel
frees both with a dead process. SQLite's busy time-out stays for writers that do not queue; where the platform has no `flock`
(Windows), it is all there is.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import FileIO
from pathlib import Path

from retrovue_uow.errors import ResourceError
from retrovue_uow.uow.connection import open_beside

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # `HAS_LOCKS` says so

HAS_LOCKS = fcntl is not None
_PATIENCE_S = 0.5
"""How long to stand behind who is next before looking whether that one moves at all."""


class WriterQueue:
    """The place of one connection in the queue of a file's writers.

    Args:
        path: The file to be written; its side files are `<path>-next` and `<path>-turn`. None: there is nobody to queue with.
        wait_s: How long to wait for one's turn before a `ResourceError`.
    """

    def __init__(self, path: str | None, wait_s: float) -> None:
        self._path = path
        self._wait_s = wait_s
        self._locks = [] if path is None or not HAS_LOCKS else [FileLock(path, f"{path}-next"), FileLock(path, f"{path}-turn")]

    def enter(self) -> None:
        """Wait for one's turn; Ctrl-C is answered meanwhile."""
        if not self._locks:
            return
        deadline = time.monotonic() + self._wait_s
        is_next, turn = self._locks
        try:
            # Who is next may be stopped, or leave a free turn alone, which then is ours: the turn alone makes us safe.
            is_next.acquire(deadline, until=lambda: _is_stopped(is_next.holder().get("pid")) or turn.acquire(0))
            if not turn.is_held and not turn.acquire(deadline):
                pid = (turn.holder() or is_next.holder()).get("pid")
                who = f"process {pid}" if isinstance(pid, int) else "a process that did not say which"
                stopped = ", which is stopped: let it go on, or end it" if _is_stopped(pid) else ""
                raise ResourceError(
                    f"another writer kept its turn on {self._path!r} for {self._wait_s:g} s ({who}{stopped}): "
                    "is a unit of work left open, perhaps in this very process?"
                )
        finally:
            is_next.release()  # whoever has the turn is no longer next

    def leave(self) -> None:
        """Let the next one have its turn."""
        for lock in self._locks:
            lock.release()

    def disown(self) -> None:
        """In a forked child, which shares the locks: give up its share, without unlocking what is the parent's."""
        for lock in self._locks:
            lock.close()


def _is_stopped(pid: object) -> bool:
    """Whether somebody has stopped the process (Ctrl-Z, a debugger); False where the platform does not say."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"\) [tT] ", status) is not None  # https://www.man7.org/linux/man-pages/man5/proc_pid_stat.5.html


class FileLock:
    """A kernel lock on a file beside the catalogue, held while that is open; who holds it writes into it who that is.

    What is written there serves messages alone. It is never synced, and what a crash has left of it is written over.
    """

    def __init__(self, catalog: str, path: str) -> None:
        self.path = path
        self._catalog = catalog
        self._file: FileIO | None = None  # never a local variable: a traceback that somebody keeps would keep the lock
        self._waiter: _Waiter | None = None

    @property
    def is_held(self) -> bool:
        return self._file is not None and not self._file.closed

    def acquire(self, deadline: float, *, until: Callable[[], bool] = lambda: False, facts: Mapping[str, object] = {}) -> bool:
        """Whether the lock was had before the deadline; `until` is asked again and again meanwhile, and ends the wait.

        Raises:
            ResourceError: The file cannot be opened, or is none.
        """
        self.release()
        opener = partial(open_beside, self._catalog)
        try:
            self._file = FileIO(self.path, "r+", opener=opener)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                if deadline > time.monotonic():
                    self._waiter = _Waiter(FileIO(self.path, "r+", opener=opener))
                    self._file = self._waiter.wait(deadline, until)
            if self._file is not None and self.is_held:
                self._file.truncate(0)
                self._file.write(json.dumps({"pid": os.getpid(), **facts}).encode())
        except OSError as error:
            self.release()
            raise ResourceError(f"{self.path!r} cannot be locked: {error.strerror}") from error
        return self.is_held

    def holder(self) -> dict[str, object]:
        """What the one who holds the lock says of itself; empty where that cannot be read."""
        try:
            with FileIO(self.path, "r", opener=partial(open_beside, self._catalog)) as file:
                said: object = json.loads(file.read(4096))
        except (OSError, ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def release(self) -> None:
        if self._file is not None and not self._file.closed:
            self._file.truncate(0)  # nobody is to be told of us once the next one has it
            fcntl.flock(self._file, fcntl.LOCK_UN)  # closing alone would not do while a forked child has a copy
            self._file.close()

    def close(self) -> None:
        """Close this process's copies of the file."""
        if self._file is not None:
            self._file.close()
        if self._waiter is not None:
            self._waiter.file.close()


class _Waiter:
    """Waits for a lock in a thread of its own, since a blocking `flock` knows no deadline."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self._mutex = threading.Lock()
        self._answered = threading.Event()
        self._locked_file: FileIO | None = None
        self._given_up = False

    def wait(self, deadline: float, until: Callable[[], bool]) -> FileIO | None:
        """The file with its lock, unless the deadline passes first, or `until` says that there is no more need."""
        try:
            threading.Thread(target=self._lock, name="retrovue-queue", daemon=True).start()
            while not self._answered.wait(min(max(deadline - time.monotonic(), 0), _PATIENCE_S)):
                if time.monotonic() >= deadline or until():
                    break
            return self._outcome()
        except BaseException:
            file = self._outcome()
            if file is not None:
                file.close()
            raise

    def _lock(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)
        with self._mutex:
            if self._given_up:
                fcntl.flock(self.file, fcntl.LOCK_UN)  # a forked child may have a copy of it
                self.file.close()
            else:
                self._locked_file = self.file
        self._answered.set()

    def _outcome(self) -> FileIO | None:
        with self._mutex:
            self._given_up = True
            return self._locked_file
