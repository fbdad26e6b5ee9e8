"""The kinds of faults: how each of them runs an action, past its points, into one fault."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import apsw
import attrs

from retrovue_uow import Catalog, RetroVueError
from retrovue_uow.store.claims import Claims
from retrovue_uow.testing import disk, faulty_plugins
from retrovue_uow.testing.copies import Action, Sandbox
from retrovue_uow.testing.faults import Fault, Injection, observed, tracing

_LONGEST_S = 60.0
"""A forked run that takes longer than this hangs."""
_BEFORE_COMMIT, _AFTER_COMMIT = b"0", b"1"
_REFUSED, _HAS_READ, _HAS_WRITTEN, _HAS_OPENED = b"0", b"1", b"2", b"3"
_CHILD_SAYS = {_HAS_READ: "has read", _HAS_WRITTEN: "has written", _HAS_OPENED: "has opened the file by itself"}
_SUFFIXES = ("", "-wal", "-shm")
"""The catalogue's file, its log, and the index of that, which belong together."""


class _InjectedInterrupt(KeyboardInterrupt):
    """A Ctrl-C of the kit's: any other one interrupts the kit."""


_ERRORS = {"RuntimeError": RuntimeError, "KeyboardInterrupt": _InjectedInterrupt, "MemoryError": MemoryError}


@attrs.frozen
class Run:
    """What a run came to.

    Attributes:
        catalog: The copy: as the action left it, or opened anew where its process was killed.
        injection: The points that it passed, and whether the fault struck.
        error: What the action raised.
        complaint: What the fault itself found wrong.
        is_killed: The action had no chance to say anything.
    """

    catalog: Catalog
    injection: Injection
    error: BaseException | None = None
    complaint: str | None = None
    is_killed: bool = False


Running = Callable[[Sandbox, str, Action, Fault | None], AbstractContextManager[Run]]


@attrs.frozen
class Kind:
    """One kind of faults.

    Attributes:
        varieties: What can go wrong at a point.
        run: The action's run on the copy at a path; the copy is closed at the end of the block.
    """

    varieties: Callable[[str], tuple[str, ...]]
    run: Running


def kinds(hang_s: float) -> dict[str, Kind]:
    """Every kind by its name; no kills and forks where the platform cannot fork."""
    found = {
        "statement": Kind(lambda point: tuple(_ERRORS), partial(_traced, strike=_raise)),
        "file": Kind(_disk_errors, _on_failing_disk),
        "call": Kind(faulty_plugins.varieties_of, partial(_with_faulty_plugins, hang_s)),
        "claim": Kind(lambda point: ("held", "rubbish", "a folder"), _with_spoiled_claims),
        # Between the last look at the file and COMMIT nobody can see what happens to it.
        "moved": Kind(lambda point: () if point.startswith("COMMIT") else ("deleted", "replaced"), _with_moved_file),
    }
    if hasattr(os, "fork"):
        found["kill"] = Kind(lambda point: ("SIGKILL",), _killed)
        found["fork"] = Kind(lambda point: ("a child works",), _forked)
    return found


@contextmanager
def _traced(
    sandbox: Sandbox, path: str, action: Action, fault: Fault | None, strike: Callable[[Catalog, Injection], None]
) -> Iterator[Run]:
    """A run that passes a point before each statement of the catalogue's connection: BEGIN, SAVEPOINT and COMMIT among them."""
    with observed(path, fault) as injection, sandbox.open(path) as catalog:
        with tracing(catalog.database.connection, injection, partial(strike, catalog)):
            error = _error_of(action, catalog)
        yield Run(catalog, injection, error)


def _raise(catalog: Catalog, injection: Injection) -> None:
    raise _ERRORS[injection.variety]("a fault")


def _disk_errors(point: str) -> tuple[str, ...]:
    """Errors that pass, and errors that stay until the action has ended."""
    errors = (disk.IO_ERROR, disk.DISK_FULL) if point.startswith(disk.NEEDS_ROOM) else (disk.IO_ERROR,)
    return tuple(f"{error} {lasting}" for error in errors for lasting in (disk.ONCE, disk.FROM_THEN_ON))


@contextmanager
def _on_failing_disk(sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    with observed(path, fault) as injection, disk.failing_disk() as failing, sandbox.open(path) as catalog:
        with failing.watched(os.path.dirname(path), injection):
            error = _error_of(action, catalog)
        yield Run(catalog, injection, error)


@contextmanager
def _with_faulty_plugins(hang_s: float, sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    with observed(path, fault) as injection:
        calls = faulty_plugins.Calls(injection, hang_s)
        with calls.faulty(sandbox).open(path) as catalog:
            error = _error_of(action, catalog)
            calls.released.set()
            yield Run(catalog, injection, error)


@contextmanager
def _with_spoiled_claims(sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    with observed(path, fault) as injection, sandbox.open(path) as catalog:
        with ExitStack() as laid:
            for collection in catalog.collections():  # those that were there before are the points
                if injection.is_at(f"claim on {collection.name!r}"):
                    laid.enter_context(_spoiled_claim(path, collection.id, injection.variety))
            error = _error_of(action, catalog)
        complaint = None
        if injection.variety == "rubbish" and error is not None:
            complaint = f"a damaged claim stands in the way: {error!r}"
        yield Run(catalog, injection, error, complaint)


@contextmanager
def _spoiled_claim(path: str, collection_id: str, variety: str) -> Iterator[None]:
    file = Path(f"{path}.claims") / f"{collection_id}.db"
    file.parent.mkdir(exist_ok=True)
    if variety == "held":
        with closing(Claims(path)) as claims:
            claims.take(collection_id, "somebody else's work")
            yield
    elif variety == "rubbish":
        file.write_bytes(b"\0 rubbish")
        yield
    else:
        file.mkdir()
        yield
        file.rmdir()


@contextmanager
def _with_moved_file(sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    kept, complaint = f"{path}.kept", None

    def move(_: Catalog, injection: Injection) -> None:
        # Another connection sees what is committed, and copies that.
        with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as source:
            source.execute("VACUUM INTO ?", (kept,)).fetchall()
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                os.unlink(path + suffix)
        if injection.variety == "replaced":
            os.replace(kept, path)

    with _traced(sandbox, path, action, fault, move) as run:
        pass
    if os.path.exists(kept):
        if os.path.exists(path):
            complaint = "a deleted catalogue is there again"
        os.replace(kept, path)
    with sandbox.open(path) as catalog:
        yield attrs.evolve(run, catalog=catalog, complaint=complaint)


@contextmanager
def _killed(sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    """The run of a forked process, or of this one where there is no fault."""

    def die_in_child(tell: int) -> None:
        def die(_: Catalog, injection: Injection) -> None:
            os.write(tell, _AFTER_COMMIT if injection.came_after_commit else _BEFORE_COMMIT)
            os.kill(os.getpid(), signal.SIGKILL)

        with _traced(sandbox, path, action, fault, die):
            pass

    if fault is None:
        with _traced(sandbox, path, action, None, _raise) as run:
            yield run
        return
    told = _told_by_child(die_in_child)
    with sandbox.open(path) as catalog:
        injection = Injection(fault, has_struck=bool(told), came_after_commit=told == _AFTER_COMMIT)
        yield Run(catalog, injection, is_killed=True)


@contextmanager
def _forked(sandbox: Sandbox, path: str, action: Action, fault: Fault | None) -> Iterator[Run]:
    said: list[bytes] = []

    def fork(catalog: Catalog, _: Injection) -> None:
        said.append(_told_by_child(partial(_work_in_child, sandbox, path, catalog)))

    with _traced(sandbox, path, action, fault, fork) as run:
        complaint = None
        if said and said != [_REFUSED]:
            complaint = f"a forked child was not refused what is its parent's, but {_CHILD_SAYS.get(said[0], 'died')}"
        elif said and run.error is not None:
            complaint = f"a forked child came and went, and the action raised {run.error!r}"
        yield attrs.evolve(run, complaint=complaint)


def _error_of(action: Action, catalog: Catalog) -> BaseException | None:
    """What the action raises."""
    try:
        action(catalog)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not isinstance(error, _InjectedInterrupt):
            raise
        return error
    return None


def _work_in_child(sandbox: Sandbox, path: str, catalog: Catalog, tell: int) -> None:
    """What a worker may try that was forked while the catalogue was open: each of it must be refused."""
    attempts: dict[bytes, Callable[[], object]] = {
        _HAS_READ: catalog.check,
        _HAS_WRITTEN: lambda: catalog.add_source("of a child"),
        _HAS_OPENED: lambda: sandbox.open(path),
    }
    for attempt, work in attempts.items():
        with suppress(RetroVueError):
            work()
            os.write(tell, attempt)
            return
    os.write(tell, _REFUSED)


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
    deadline = time.monotonic() + _LONGEST_S
    try:
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise AssertionError(f"a forked run did not end within {_LONGEST_S:g} s")
            time.sleep(0.001)
        return os.read(reading, 1)
    finally:
        os.close(reading)
