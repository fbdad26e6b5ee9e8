"""A fair queue of writers, in front of SQLite's own lock, which goes to whoever polls at the right moment.

Two kernel locks on side files make a turnstile: who is next holds the first while waiting for the second, which is the turn
itself. So whoever has just had a turn cannot take the next one while others wait, as it could with a single lock. The kernel
frees both with a dead process. SQLite's busy time-out stays for writers that do not queue; where the platform has no `flock`
(Windows), it is all there is.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from io import FileIO

from retrovue_uow.errors import ResourceError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # the constructor asks


class WriterQueue:
    """The place of one connection in the queue of a file's writers.

    Args:
        path: The file to be written; its side files are `<path>-next` and `<path>-turn`. None: there is nobody to queue with.
        wait_s: How long to wait for one's turn before a `ResourceError`.
    """

    def __init__(self, path: str | None, wait_s: float) -> None:
        self._path = path
        self._wait_s = wait_s
        side_files = [] if path is None or fcntl is None else [f"{path}-next", f"{path}-turn"]
        self._locks = [_Lock(side_file) for side_file in side_files]

    def enter(self) -> None:
        """Wait for one's turn; Ctrl-C is answered meanwhile."""
        deadline = time.monotonic() + self._wait_s
        try:
            for lock in self._locks:
                if not lock.acquire(deadline):
                    raise ResourceError(
                        f"another writer kept its turn on {self._path!r} for {self._wait_s:g} s: "
                        "is a unit of work left open, perhaps in this very process?"
                    )
        finally:
            for lock in self._locks[:1]:  # whoever has the turn is no longer next
                lock.release()

    def leave(self) -> None:
        """Let the next one have its turn."""
        for lock in self._locks:
            lock.release()

    def disown(self) -> None:
        """In a forked child, which shares the locks: give up its share, without unlocking what is the parent's."""
        for lock in self._locks:
            lock.close()


def _opened(side_file: str, flags: int) -> int:
    """A descriptor of the side file; what is a FIFO keeps nobody waiting for its reader."""
    descriptor = os.open(side_file, flags | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file: move it away", side_file)
    return descriptor


class _Lock:
    """A kernel lock on a side file, held while that is open."""

    def __init__(self, side_file: str) -> None:
        self._side_file = side_file
        self._file: FileIO | None = None  # never a local variable: a traceback that somebody keeps would keep the lock
        self._waiter: _Waiter | None = None

    def acquire(self, deadline: float) -> bool:
        """Whether the lock was had before the deadline."""
        self.release()
        try:
            self._file = FileIO(self._side_file, "a", opener=_opened)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                self._waiter = _Waiter(self._side_file)
                self._file = self._waiter.wait(deadline)
        except OSError as error:
            raise ResourceError(f"queue file {self._side_file!r} cannot be locked: {error.strerror}") from error
        return self._file is not None

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._file is not None and not self._file.closed:
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

    def __init__(self, side_file: str) -> None:
        self.file = FileIO(side_file, "a", opener=_opened)
        self._mutex = threading.Lock()
        self._answered = threading.Event()
        self._locked_file: FileIO | None = None
        self._given_up = False

    def wait(self, deadline: float) -> FileIO | None:
        """The file with its lock, unless the deadline passes first."""
        try:
            threading.Thread(target=self._lock, name="retrovue-queue", daemon=True).start()
            self._answered.wait(min(max(deadline - time.monotonic(), 0), threading.TIMEOUT_MAX))
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
