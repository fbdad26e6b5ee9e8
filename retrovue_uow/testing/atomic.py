"""Proof by fault: an action is whole or has not happened, whatever goes wrong at whichever of its points."""

from __future__ import annotations

import multiprocessing
import os
import random
import shlex
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal

import attrs

from retrovue_uow import AfterCommitError, Catalog, ConflictError, Database, RetroVueError
from retrovue_uow.store.claims import Claims
from retrovue_uow.testing.copies import Action, Sandbox, Subject, is_side_file, sandbox_of
from retrovue_uow.testing.fault_kinds import Kind, Run, kinds
from retrovue_uow.testing.faults import Fault, Injection
from retrovue_uow.testing.faulty_plugins import HANG
from retrovue_uow.testing.plugin import REPLAY, listeners, replayed
from retrovue_uow.testing.snapshots import shortened, snapshot

KINDS = ("statement", "file", "call", "claim", "moved", "kill", "fork")
SHOWN = 7
"""How many lines of what was wrong a message shows."""
PROGRESS_S = 5.0
_THREADS_S = 5.0
"""How long an abandoned call that was let go may take to end."""


@attrs.frozen
class Report:
    """What `assert_atomic` tried.

    Attributes:
        points: How many points the action passes, by kind of fault.
        faults: How many faults were tried.
        failures: What was wrong, in words.
        unreached: Faults whose point was not passed again: the action does not do the same each time.
        seconds: How long it took.
    """

    points: Mapping[str, int]
    faults: int
    failures: tuple[str, ...]
    unreached: int
    seconds: float

    def __str__(self) -> str:
        points = ", ".join(f"{count} {kind}" for kind, count in self.points.items())
        unreached = f", {self.unreached} not reached" if self.unreached else ""
        return f"{self.faults} faults at {points} points: {len(self.failures)} failures{unreached}, {self.seconds:.1f} s"


def assert_atomic(
    catalog: Subject,
    action: Action,
    *,
    faults: Sequence[str] = KINDS,
    sample: int | None = None,
    seed: int = 0,
    hang_s: float = 0.5,
    workers: int | Literal["auto"] = 1,
) -> Report:
    """Prove that an action is all or nothing: run it on copies of a catalogue, with a fault at each of its points.

    Every run has a fresh copy, opened with the same importers and enrichers; the given catalogue is only read. After each
    fault:

    - The copy holds what it held before, where the action raised an error or was killed before others saw a COMMIT; and what
      a whole run leaves, but for new identifiers, times and durations, where it raised nothing, or they saw one before the
      fault struck. After an `AfterCommitError` either may be.
    - `check()` finds nothing; no transaction, lock, claim, thread or foreign file is left.
    - Where nothing had happened, the next run of the action succeeds and leaves what a whole run leaves.

    Args:
        catalog: The catalogue, or what makes one at the path that it is given.
        action: What is to be proven. It must succeed, do the same each time, and reach the file through its argument.
        faults: Kinds of faults: `"statement"` (an exception before an SQL statement), `"file"` (the disk fails or is full, once
            or from then on), `"call"` (an importer or enricher raises, returns garbage or hangs), `"claim"` (somebody else
            holds a collection's, or its file is damaged), `"moved"` (the catalogue's file is deleted or replaced), `"kill"`
            (SIGKILL), `"fork"` (a forked child tries to work in the catalogue).
        sample: How many faults of each kind to try; None: all.
        seed: Which ones.
        hang_s: How long `enrich` may take where it hangs. Where broken files are recorded, that is a finding, and no failure.
        workers: How many processes try the faults; `"auto"`: one for each core that pytest-xdist leaves. They are forks: what
            the action changes in the test's own variables stays in them. Without fork, and in a replay, it is this process.

    Raises:
        AssertionError: Names the first faults after which something was wrong, and what, and how to try one of them again; or
            the action fails without any fault.
    """
    __tracebackhide__ = True
    started = time.monotonic()
    unknown = set(faults) - set(KINDS)
    if unknown:
        raise ValueError(f"there are no faults of kind {sorted(unknown)}: choose from {KINDS}")
    processes = _processes(workers)
    with sandbox_of(catalog, processes) as sandbox:
        proof = _Proof(sandbox, action, kinds(hang_s))
        chosen = [fault for name in faults if name in proof.kinds for fault in proof.faults(name, sample, seed)]
        if replayed and not chosen:
            raise AssertionError(f"there is no fault {replayed[0]!r} of the kinds {', '.join(faults)} in this action")
        failures, unreached = proof.try_all(chosen, processes)
    told = tuple(f"{fault}: {reason}" for fault, reason in failures)
    report = Report(proof.points, len(chosen), told, unreached, time.monotonic() - started)
    if failures:
        advice = _advice(failures[0][0])
        raise AssertionError("\n".join([f"the action is not atomic: {report}", *shortened(list(told), SHOWN), *advice]))
    return report


def _processes(workers: int | Literal["auto"]) -> int:
    if replayed or not hasattr(os, "fork"):
        return 1
    if workers != "auto":
        return workers
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _advice(fault: Fault) -> Iterator[str]:
    """How to try one fault again, where pytest runs."""
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test is not None:
        yield f"try the first again: {shlex.join(['pytest', test.rpartition(' (')[0], REPLAY, fault.name])}"


class _Proof:
    """One proof under way."""

    def __init__(self, sandbox: Sandbox, action: Action, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self.points: dict[str, int] = {}
        self._sandbox = sandbox
        self._action = action
        self._reported_at = time.monotonic()
        with sandbox.copy() as path, sandbox.open(path) as catalog:
            violations = catalog.check().violations
            if violations:
                raise AssertionError(f"the catalogue is not sound to begin with: {violations[0]}")
            self._before = snapshot(path)
            self._known = self._before.identifiers()
            try:
                action(catalog)
            except Exception as error:
                raise AssertionError(f"the action fails without any fault: {error!r}") from error
            self._whole = snapshot(path)

    def faults(self, name: str, sample: int | None, seed: int) -> list[Fault]:
        """The faults of one kind that are to be tried: all, a sample of them, or the one that is replayed."""
        kind = self.kinds[name]
        injection, reasons = self._judged(kind, None)
        if reasons:
            raise AssertionError("\n".join(["something is wrong without any fault:", *shortened(reasons, SHOWN)]))
        self.points[name] = len(injection.points)
        numbered = enumerate(injection.points, 1)
        faults = [Fault(name, number, point, variety) for number, point in numbered for variety in kind.varieties(point)]
        if replayed:
            return [fault for fault in faults if fault.name == replayed[0]]
        if sample is None or sample >= len(faults):
            return faults
        return random.Random(seed).sample(faults, sample)  # noqa: S311  it draws samples

    def try_all(self, faults: Sequence[Fault], processes: int) -> tuple[list[tuple[Fault, str]], int]:
        """What was wrong after which fault, in their order, and how many were not reached."""
        outcomes: dict[Fault, tuple[bool, list[str]]] = {}
        trying = self._in_processes(faults, processes) if processes > 1 else ((fault, self._try(fault)) for fault in faults)
        for number, (fault, outcome) in enumerate(trying, 1):
            outcomes[fault] = outcome
            if time.monotonic() >= self._reported_at + PROGRESS_S:
                self._reported_at = time.monotonic()
                failed = sum(bool(reasons) for _, reasons in outcomes.values())
                for report in listeners:
                    report(f"assert_atomic: {fault.kind} fault {number} of {len(faults)}, {failed} failures")
        failures = [(fault, reason) for fault in faults for reason in outcomes[fault][1]]
        return failures, sum(not has_struck for has_struck, _ in outcomes.values())

    def _try(self, fault: Fault) -> tuple[bool, list[str]]:
        injection, reasons = self._judged(self.kinds[fault.kind], fault)
        return injection.has_struck, reasons

    def _in_processes(self, faults: Sequence[Fault], processes: int) -> Iterator[tuple[Fault, tuple[bool, list[str]]]]:
        """Each fault with what came of it, as it comes from forked processes that try one after the other."""
        waiting, busy = deque(faults), dict[Connection, Fault]()
        context, children = multiprocessing.get_context("fork"), []
        try:
            for _ in range(min(processes, len(faults))):
                ours, theirs = context.Pipe()
                children.append(context.Process(target=self._work, args=(theirs, [ours, *busy]), daemon=True))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses nothing that they may hold
                    children[-1].start()
                theirs.close()
                busy[ours] = waiting.popleft()
                ours.send(busy[ours])
            while busy:
                ready = wait(list(busy))
                for connection in [each for each in busy if each in ready]:
                    fault = busy.pop(connection)
                    try:
                        yield fault, connection.recv()
                    except EOFError:
                        raise AssertionError(f"{fault}: the process that tried it has died") from None
                    if waiting:
                        busy[connection] = waiting.popleft()
                        connection.send(busy[connection])
                    else:
                        connection.close()
        finally:
            for child in children:
                child.kill()
                child.join()

    def _work(self, theirs: Connection, inherited: Sequence[Connection]) -> None:
        for connection in inherited:  # else this process would not notice that its parent is gone
            connection.close()
        with suppress(EOFError, KeyboardInterrupt):
            while True:
                theirs.send(self._try(theirs.recv()))

    def _judged(self, kind: Kind, fault: Fault | None) -> tuple[Injection, list[str]]:
        """A run on a fresh copy, and what is wrong after it."""
        threads = set(threading.enumerate())
        with self._sandbox.copy() as path:
            with kind.run(self._sandbox, path, self._action, fault) as run:
                reasons = [] if run.complaint is None else [run.complaint]
                reasons += [*self._wrong_rows(run, path), *_wrong_in(run.catalog)]
                if fault is not None and not reasons:
                    reasons += self._wrong_next_run(run.catalog, path)
            return run.injection, [*reasons, *_left_behind(path, threads)]

    def _wrong_rows(self, run: Run, path: str) -> Iterator[str]:
        found = snapshot(path)
        unlike = self._whole.unlikeness(found, known=self._known)
        is_over = run.error is None and not run.is_killed
        if run.injection.fault is None:
            if run.error is not None:
                yield _ending(run)
            elif unlike is not None:
                yield f"the action does not do the same each time: {unlike}"
            return
        is_either = isinstance(run.error, AfterCommitError) and (unlike is None or found == self._before)
        if is_either or (is_over and run.injection.variety == HANG and _is_late_with_a_file(run.catalog)):
            return
        if run.injection.has_struck and not run.injection.came_after_commit and not is_over:
            if found != self._before:
                yield f"{_ending(run)}, but the catalogue has changed: {self._before.differences(found)[0]}"
        elif unlike is not None and (run.injection.has_struck or is_over):
            kept = next(iter(self._before.differences(found)), "nothing")
            yield f"{_ending(run)}, but the catalogue is not as a whole run leaves it: {unlike}; what was kept begins {kept}"

    def _wrong_next_run(self, catalog: Catalog, path: str) -> Iterator[str]:
        if snapshot(path) != self._before:
            return
        try:
            self._action(catalog)
        except Exception as error:  # noqa: BLE001  it is reported
            yield f"the next run of the action fails: {error!r}"
            return
        unlike = self._whole.unlikeness(snapshot(path), known=self._known)
        if unlike is not None:
            yield f"the next run of the action does not do all of its work: {unlike}"


def _is_late_with_a_file(catalog: Catalog) -> bool:
    """Whether an answer that never came was recorded as what is wrong with a file, as an action may ask for."""
    return catalog.database.execute("SELECT EXISTS (SELECT 1 FROM finding WHERE message LIKE '%gave no answer%')") == [(1,)]


def _ending(run: Run) -> str:
    if run.is_killed:
        return "the process was killed"
    return "the action ended without an error" if run.error is None else f"the action raised {run.error!r}"


def _wrong_in(catalog: Catalog) -> Iterator[str]:
    """What an action that has ended still holds (a transaction, a lock, a claim), and what is unsound."""
    if catalog.database.in_unit or catalog.database.connection.in_transaction:
        yield "a transaction is left open"
    try:
        with Database(catalog.database.path, busy_timeout_ms=0, write_wait_s=0) as other, other.session():
            pass
    except RetroVueError as error:
        yield f"a lock is left: {error}"
    claims = Claims(catalog.database.path)
    for claim in sorted(Path(f"{catalog.database.path}.claims").glob("*.db")):
        try:
            claims.take(claim.stem, "look").release()
        except ConflictError:
            yield f"the claim on collection {claim.stem} is left"
    for violation in catalog.check().violations:
        yield f"check() finds {violation}"


def _left_behind(path: str, threads: set[threading.Thread]) -> Iterator[str]:
    """Foreign files, and threads that do not end: a call that was abandoned has been let go by now."""
    folder = Path(path).parent
    for found in sorted(folder.rglob("*")):
        if not is_side_file(str(found.relative_to(folder))):
            yield f"file {found.name!r} is left"
    deadline = time.monotonic() + _THREADS_S
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        time.sleep(0.005)
    for thread in set(threading.enumerate()) - threads:
        yield f"thread {thread.name!r} is left"
