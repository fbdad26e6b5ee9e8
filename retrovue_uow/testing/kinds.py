"""The kinds of faults: how each of them runs an action, past its points, into one fault."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

import apsw
import attrs

from retrovue_uow import Catalog
from retrovue_uow.testing import disk, watching
from retrovue_uow.testing.bench import Action, Bench
from retrovue_uow.testing.strikes import Fault, Strike, observing

_LONGEST_S = 60.0
"""A forked run that takes longer than this hangs."""
_SHOWN = 70
_BEFORE_COMMIT, _AFTER_COMMIT = b"0", b"1"


@attrs.frozen
class Run:
    """What a run came to.

    Attributes:
        catalog: The copy: as the action left it, or opened anew where its process was killed.
        error: What the action raised.
        is_killed: The action had no chance to say anything.
    """

    catalog: Catalog
    points: list[str]
    has_struck: bool
    came_after_commit: bool
    error: BaseException | None = None
    is_killed: bool = False


class Kind(Protocol):
    """One kind of faults."""

    def varieties(self, point: str) -> tuple[str, ...]:
        """What can go wrong at a point."""

    def run(self, bench: Bench, path: str, action: Action, fault: Fault | None) -> AbstractContextManager[Run]:
        """The action's run on the copy at `path`; the copy is closed at the end of the block."""


_ERRORS: dict[str, type[BaseException]] = {
    "RuntimeError": RuntimeError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "MemoryError": MemoryError,
}


class StatementFaults:
    """An exception before an SQL statement of the catalogue's connection runs: BEGIN, SAVEPOINT and COMMIT among them."""

    def varieties(self, point: str) -> tuple[str, ...]:
        """Each of the exceptions, at any statement."""
        return tuple(_ERRORS)

    @contextmanager
    def run(self, bench: Bench, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
        """See `Kind`."""

        def fail(strike: Strike) -> None:
            raise strike.raises(_ERRORS[strike.variety]("a fault"))

        with _striking(path, fault) as strike, bench.open(path) as catalog:
            with _tracing(catalog, strike, fail):
                error = _error_of(action, catalog, strike)
            yield _run(catalog, strike, error)


class FileFaults:
    """An error of the disk, as SQLite writes, syncs, truncates or deletes a file of the catalogue's."""

    def varieties(self, point: str) -> tuple[str, ...]:
        """Errors that pass, and errors that stay until the action has ended."""
        errors = (disk.IO_ERROR, disk.DISK_FULL) if point.startswith(disk.NEEDS_ROOM) else (disk.IO_ERROR,)
        return tuple(f"{error} {lasting}" for error in errors for lasting in (disk.ONCE, disk.FROM_THEN_ON))

    @contextmanager
    def run(self, bench: Bench, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
        """See `Kind`."""
        with _striking(path, fault) as strike, disk.failing_disk(), bench.open(path) as catalog:
            with disk.watched(os.path.dirname(path), strike):
                error = _error_of(action, catalog, strike)
            yield _run(catalog, strike, error)


@attrs.frozen
class CallFaults:
    """A call into an importer or enricher that raises, returns garbage, or does not return."""

    hang_s: float

    def varieties(self, point: str) -> tuple[str, ...]:
        """What that call can do wrong."""
        return watching.varieties_of(point)

    @contextmanager
    def run(self, bench: Bench, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
        """See `Kind`."""
        with _striking(path, fault) as strike, ExitStack() as stack:
            calls = watching.Calls(strike, self.hang_s)
            importers, enrichers = calls.importers(bench.importers), calls.enrichers(bench.enrichers)
            catalog = stack.enter_context(bench.open(path, importers=importers, enrichers=enrichers))
            error = _error_of(action, catalog, strike)
            calls.released.set()
            yield _run(catalog, strike, error)


class Kills:
    """SIGKILL, before an SQL statement of the catalogue's connection runs, to a forked process that runs the action."""

    def varieties(self, point: str) -> tuple[str, ...]:
        """There is one way to be killed."""
        return ("SIGKILL",)

    @contextmanager
    def run(self, bench: Bench, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
        """See `Kind`."""
        if fault is None:
            with StatementFaults().run(bench, path, action, None) as run:
                yield run
            return
        told = _told_by_child(lambda tell: _be_killed(bench, path, action, fault, tell))
        with bench.open(path) as catalog:
            yield Run(catalog, [], bool(told), told == _AFTER_COMMIT, is_killed=True)


def kinds(hang_s: float) -> dict[str, Kind]:
    """Every kind by its name; no kills where the platform cannot fork."""
    found: dict[str, Kind] = {"statement": StatementFaults(), "file": FileFaults(), "call": CallFaults(hang_s)}
    return {**found, "kill": Kills()} if hasattr(os, "fork") else found


@contextmanager
def _striking(path: str, fault: Fault | None) -> Iterator[Strike]:
    with observing(path) as observer:
        yield Strike(fault, observer)


@contextmanager
def _tracing(catalog: Catalog, strike: Strike, fail: Callable[[Strike], None]) -> Iterator[None]:
    """Every statement of the catalogue's connection is a point."""

    def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if strike.is_at(" ".join(sql.split())[:_SHOWN]):
            fail(strike)
        return True

    catalog.database.connection.exec_trace = trace
    try:
        yield
    finally:
        catalog.database.connection.exec_trace = None


def _error_of(action: Action, catalog: Catalog, strike: Strike) -> BaseException | None:
    """What the action raises; but a Ctrl-C that is not ours interrupts the kit."""
    try:
        action(catalog)
    except KeyboardInterrupt as error:
        if error is not strike.raised:
            raise
        return error
    except BaseException as error:  # noqa: BLE001  it is judged
        return error
    return None


def _run(catalog: Catalog, strike: Strike, error: BaseException | None) -> Run:
    return Run(catalog, strike.points, strike.has_struck, strike.came_after_commit, error)


def _told_by_child(work: Callable[[int], None]) -> bytes:
    """What a forked process that does the work, and dies of it, writes into the pipe it is given."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses nothing that they may hold
        child = os.fork()
    if child == 0:
        try:
            work(writing)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        _wait_for(child)
        return os.read(reading, 1)
    finally:
        os.close(reading)


def _wait_for(child: int) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"a forked run did not end within {_LONGEST_S:g} s")
        time.sleep(0.001)


def _be_killed(bench: Bench, path: str, action: Action, fault: Fault, tell: int) -> None:
    def die(strike: Strike) -> None:
        os.write(tell, _AFTER_COMMIT if strike.came_after_commit else _BEFORE_COMMIT)
        os.kill(os.getpid(), signal.SIGKILL)

    with _striking(path, fault) as strike, bench.open(path) as catalog, _tracing(catalog, strike, die):
        action(catalog)
