"""The points that an action passes, and the one of them at which a fault strikes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import apsw
import attrs


@attrs.frozen
class Fault:
    """One fault: its kind, which of the action's points it strikes (from 1), what is there, and what goes wrong."""

    kind: str
    number: int
    point: str
    variety: str

    def __str__(self) -> str:
        return f"{self.kind} fault ({self.variety}) at point {self.number}, {self.point}"


class Observer:
    """A connection of its own that sees whether somebody has committed to the file since it was opened.

    SQLite tells by `PRAGMA data_version` (https://www.sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._first = self._version()

    def has_seen_a_commit(self) -> bool:
        """Whether there was a COMMIT that succeeded."""
        return self._version() != self._first

    def _version(self) -> object:
        return self._connection.execute("PRAGMA data_version").fetchall()[0][0]


@contextmanager
def observing(path: str) -> Iterator[Observer]:
    """An observer of the file, for the time of the block."""
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        yield Observer(connection)


@attrs.define(eq=False)
class Strike:
    """Counts the points that a run passes, in whatever thread, and says at which of them to fail.

    Attributes:
        fault: What is to strike; None: the run only learns the points.
        points: Those passed so far, in words.
        has_struck: Whether the fault's point was reached.
        came_after_commit: Whether others saw a COMMIT by then.
    """

    fault: Fault | None
    observer: Observer
    points: list[str] = attrs.field(factory=list)
    has_struck: bool = False
    came_after_commit: bool = False
    raised: BaseException | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def variety(self) -> str:
        """What goes wrong, if anything."""
        return "" if self.fault is None else self.fault.variety

    def is_at(self, point: str) -> bool:
        """Pass a point, and say whether the fault strikes there."""
        with self._lock:
            self.points.append(point)
            if self.fault is None or len(self.points) != self.fault.number:
                return False
            self.came_after_commit = self.observer.has_seen_a_commit()
            self.has_struck = True
            return True

    def raises(self, error: BaseException) -> BaseException:
        """Remember `error` as the one that the kit itself raised."""
        self.raised = error
        return error
