"""The points that an action passes, and the one of them at which a fault strikes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import apsw
import attrs

_SHOWN = 70
"""Characters of a statement that a point shows."""


@attrs.frozen
class Fault:
    """One fault: its kind, which of the action's points it strikes (from 1), what is there, and what goes wrong."""

    kind: str
    number: int
    point: str
    variety: str

    @property
    def name(self) -> str:
        """What tells it from the action's other faults, for `--proof-replay`."""
        return f"{self.kind}:{self.number}:{self.variety}"

    def __str__(self) -> str:
        return f"{self.kind} fault ({self.variety}) at point {self.number}, {self.point}"


@attrs.define(eq=False)
class Injection:
    """Counts the points that a run passes, in whatever thread, and says at which of them to fail.

    Attributes:
        fault: What is to go wrong; None: the run only learns the points.
        points: Those passed so far, in words.
        has_struck: Whether the fault's point was reached.
        has_committed: Tells whether somebody has committed to the file so far.
        came_after_commit: What it told then.
    """

    fault: Fault | None
    has_committed: Callable[[], bool] = lambda: False
    points: list[str] = attrs.field(factory=list)
    has_struck: bool = False
    came_after_commit: bool = False
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
            self.came_after_commit = self.has_committed()
            self.has_struck = True
            return True


@contextmanager
def observed(path: str, fault: Fault | None) -> Iterator[Injection]:
    """An injection that sees, through a connection of its own, whether somebody commits to the file during the block."""
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:

        def version() -> object:  # https://www.sqlite.org/pragma.html#pragma_data_version
            return connection.execute("PRAGMA data_version").fetchall()[0][0]

        first = version()
        yield Injection(fault, lambda: version() != first)


@contextmanager
def tracing(connection: apsw.Connection, injection: Injection, fail: Callable[[Injection], None]) -> Iterator[None]:
    """Within the block, every statement of the connection is a point; `fail` runs before the one that the fault strikes."""

    def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if injection.is_at(" ".join(sql.split())[:_SHOWN]):
            fail(injection)
        return True

    connection.exec_trace = trace
    try:
        yield
    finally:
        connection.exec_trace = None
