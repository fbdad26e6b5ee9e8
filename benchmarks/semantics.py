"""Who keeps which promise: the same scenarios against ours and its peers, judged by what is in the file afterwards.

    python -m benchmarks semantics [--markdown]

Each scenario asks for something that a careful user does not want to happen. A broken promise is what the unit of work
promises and the peer does not do; for some peers that is a documented choice, as with a nested failure that is swallowed.
"""

from __future__ import annotations

import argparse
import inspect
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Literal

import attrs
from loguru import logger

from benchmarks.contenders import CONTENDERS, Contender, opened

SCENARIO_S = 3
Verdict = Literal["kept", "broken", "not applicable", "crashed", "not installed"]


@attrs.frozen
class Finding:
    """What came of one scenario with one contender.

    Attributes:
        promise: Name of the scenario.
        observed: A few words: what happened, or what was raised.
    """

    promise: str
    contender: str
    verdict: Verdict
    observed: str


class Inapplicable(Exception):  # noqa: N818  it is no error: the contender lacks what the scenario is about
    """The scenario cannot be played with this contender."""


class MineError(Exception):
    """The error of a scenario's own."""


class SimulatedInterrupt(KeyboardInterrupt):
    """Ctrl-C, as a scenario presses it."""


class Raised:
    """A block that lets no error out and remembers it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Raised:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self.error = None if error is None else error.with_traceback(None)
        return isinstance(error, Exception | SimulatedInterrupt | GeneratorExit)

    def __str__(self) -> str:
        return "no error" if self.error is None else type(self.error).__name__


class HungError(Exception):
    """A scenario that did not come to an end."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `HungError` in the block when it takes longer: one contender keeps a lock that it then waits for itself."""

    def ring(*_: object) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


Answer = tuple[bool, str]
Scenario = Callable[[Contender], Answer]


def add(subject: Contender, name: str) -> None:
    """One row for the item table."""
    subject.execute(f"INSERT INTO item (name) VALUES ('{name}')")  # noqa: S608  names are ours, not input


def durable(subject: Contender) -> list[str]:
    """What a connection of its own sees beside the row that was there from the start."""
    connection = subject.connect(subject.path)
    try:
        return [str(name) for (name,) in connection.execute("SELECT name FROM item WHERE id > 1 ORDER BY id").fetchall()]
    finally:
        connection.close()


def _rows(names: Sequence[str]) -> str:
    return f"durable: {', '.join(names)}" if names else "nothing durable"


def swallowed_rollback(subject: Contender) -> Answer:
    """`INSERT OR ROLLBACK` fails and is swallowed: nothing written later is durable, leaving raises, no hook runs."""
    hooks: list[str] = []
    with Raised() as left, subject.unit():
        add(subject, "before")
        has_hooks = subject.on_commit(lambda: hooks.append("ran"))
        with Raised():
            subject.execute("INSERT OR ROLLBACK INTO item VALUES (1, 'again')")
        with Raised() as later:
            add(subject, "after")
    kept = durable(subject)
    hook = f", on-commit hook {'ran' if hooks else 'did not run'}" if has_hooks else ""
    return (
        not kept and left.error is not None and not hooks,
        f"{_rows(kept)}; later write: {later}; leaving: {left}{hook}",
    )


def swallowed_trigger_rollback(subject: Contender) -> Answer:
    """`RAISE(ROLLBACK)` in a nested block is swallowed outside it: nothing is durable and leaving raises."""
    with Raised() as left, subject.unit():
        add(subject, "before")
        with Raised(), subject.survivable():
            subject.execute("INSERT INTO trap VALUES (1)")
        with Raised() as later:
            add(subject, "after")
    kept = durable(subject)
    return not kept and left.error is not None, f"{_rows(kept)}; later write: {later}; leaving: {left}"


def stray_commit(subject: Contender) -> Answer:
    """A COMMIT through the library is refused before it runs, and the unit goes on."""
    with Raised() as left, subject.unit():
        add(subject, "before")
        with Raised() as commit:
            subject.execute("COMMIT")
        early = durable(subject)
        add(subject, "after")
    whole = durable(subject) == ["before", "after"]
    refused = f"refused ({type(commit.error).__name__})" if commit.error else "it ran"
    return (
        commit.error is not None and not early and whole and left.error is None,
        f"{refused}, within the unit {_rows(early)}; leaving: {left}",
    )


def stray_commit_then_exception(subject: Contender) -> Answer:
    """After a stray COMMIT an exception still undoes all of the unit."""
    with Raised() as left, subject.unit():
        add(subject, "before")
        with Raised():
            subject.execute("COMMIT")
        add(subject, "after")
        raise MineError
    kept = durable(subject)
    return not kept and isinstance(left.error, MineError), f"{_rows(kept)}; leaving: {left}"


def swallowed_nested_failure(subject: Contender) -> Answer:
    """A nested failure that nobody asked to survive, swallowed, does not end in success."""
    with Raised() as left, subject.unit():
        add(subject, "outer")
        with Raised(), subject.nested():
            add(subject, "inner")
            raise MineError
        add(subject, "later")
    kept = durable(subject)
    return not kept and left.error is not None, f"{_rows(kept)}; leaving: {left}"


def survived_nested_failure(subject: Contender) -> Answer:
    """A nested failure that may be survived costs the nested rows and no other."""
    with Raised() as left, subject.unit():
        add(subject, "outer")
        with Raised(), subject.survivable():
            add(subject, "inner")
            raise MineError
        add(subject, "later")
    kept = durable(subject)
    return kept == ["outer", "later"] and left.error is None, f"{_rows(kept)}; leaving: {left}"


def nested_success_then_exception(subject: Contender) -> Answer:
    """A nested block that ended well is undone with the outer one."""
    with Raised() as left, subject.unit():
        add(subject, "outer")
        with subject.nested():
            add(subject, "inner")
        raise MineError
    kept = durable(subject)
    return not kept and isinstance(left.error, MineError), f"{_rows(kept)}; leaving: {left}"


def failed_commit(subject: Contender) -> Answer:
    """A COMMIT that fails on a deferred foreign key leaves no transaction open, and the next unit works."""
    with Raised() as left, subject.unit():
        add(subject, "before")
        subject.execute("INSERT INTO part VALUES (7, 999)")
    open_after = subject.in_transaction()
    following = _next_unit(subject)
    kept = durable(subject)
    state = "the transaction is still open" if open_after else "no transaction open"
    return (
        left.error is not None and not open_after and following.error is None and kept == ["next"],
        f"{left}; {state}; next unit: {following}, {_rows(kept)}",
    )


def exception_passing(subject: Contender) -> Answer:
    """Whatever passes through, nothing is committed: an error, Ctrl-C, the end of a generator."""
    broken = []
    for kind in (MineError, SimulatedInterrupt, GeneratorExit):
        with Raised(), subject.unit():
            add(subject, kind.__name__)
            raise kind
        broken += [kind.__name__] if kind.__name__ in durable(subject) else []
    return not broken, f"committed by {', '.join(broken)}" if broken else "nothing durable"


def half_read_cursor(subject: Contender) -> Answer:
    """A half-read cursor from before does not weaken the unit: a failing one leaves nothing, the next one commits."""
    cursor = subject.raw().execute("SELECT name FROM item UNION ALL SELECT 'more'")
    next(cursor)
    with Raised() as failing, subject.unit():
        add(subject, "failing")
        raise MineError
    first = durable(subject)
    following = _next_unit(subject)
    kept = durable(subject)
    return (
        not first and isinstance(failing.error, MineError) and following.error is None and kept == ["next"],
        f"failing unit: {_rows(first)}; next unit: {following}, {_rows(kept)}",
    )


def read_then_write(subject: Contender) -> Answer:
    """A unit that has read may write, and commits, whatever another connection tries meanwhile."""
    other = subject.connect(subject.path)
    with Raised() as left, subject.unit():
        subject.execute("SELECT name FROM item")
        with Raised() as meanwhile:
            other.execute("UPDATE item SET name = 'changed' WHERE id = 1").fetchall()
            other.execute("COMMIT") if other.in_transaction else None
        add(subject, "ours")
    other.close()
    kept = durable(subject)
    return kept == ["ours"] and left.error is None, f"{_rows(kept)}; {left}; the other: {meanwhile}"


def write_outside(subject: Contender) -> Answer:
    """A write outside any unit is refused and nothing of it remains."""
    with Raised() as write:
        add(subject, "stray")
    kept, pending = durable(subject), subject.in_transaction()
    refused = f"refused ({type(write.error).__name__})" if write.error else "accepted"
    state = "pending in a transaction that nobody asked for" if pending else _rows(kept)
    return write.error is not None and not kept and not pending, f"{refused}; {state}"


def interrupted_exit(subject: Contender) -> Answer:
    """Ctrl-C before the first byte-code of `__exit__`: all or nothing, and the next unit works without help."""
    interrupting = Interrupting()
    with Raised(), subject.unit():
        add(subject, "one")
        add(subject, "two")
        sys.settrace(interrupting)
    sys.settrace(None)
    if not interrupting.has_struck:
        raise Inapplicable("its `__exit__` is not Python")
    interrupted = durable(subject)
    following = _next_unit(subject)
    kept = durable(subject)
    return (
        interrupted in ([], ["one", "two"]) and following.error is None and kept == [*interrupted, "next"],
        f"{_rows(interrupted)}; next unit: {following}, {_rows(kept)}",
    )


class Interrupting:
    """A trace function that presses Ctrl-C at the first call of a Python function, and only there."""

    def __init__(self) -> None:
        self.has_struck = False

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        sys.settrace(None)
        if frame.f_code.co_filename != __file__:  # ours here is the end of `Raised`: the exit itself was no Python code
            self.has_struck = True
            raise SimulatedInterrupt


def other_thread(subject: Contender) -> Answer:
    """Another thread cannot write inside the unit, and the owner commits unharmed."""
    theirs = Raised()

    def write() -> None:
        with theirs:
            add(subject, "theirs")

    with Raised() as left, subject.unit():
        add(subject, "ours")
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    kept = durable(subject)
    refused = f"refused ({type(theirs.error).__name__})" if theirs.error else "accepted"
    return theirs.error is not None and kept == ["ours"] and left.error is None, f"{refused}; {_rows(kept)}"


def _next_unit(subject: Contender) -> Raised:
    with Raised() as raised, subject.unit():
        add(subject, "next")
    return raised


SCENARIOS: tuple[Scenario, ...] = (
    swallowed_rollback,
    swallowed_trigger_rollback,
    stray_commit,
    stray_commit_then_exception,
    failed_commit,
    exception_passing,
    nested_success_then_exception,
    survived_nested_failure,
    swallowed_nested_failure,
    half_read_cursor,
    read_then_write,
    write_outside,
    interrupted_exit,
    other_thread,
)


def findings(contenders: Sequence[type[Contender]] = CONTENDERS, scenarios: Sequence[Scenario] = SCENARIOS) -> list[Finding]:
    """Every scenario with every contender, each on a new file."""
    return [_finding(scenario, contender) for scenario in scenarios for contender in contenders]


def _finding(scenario: Scenario, contender: type[Contender]) -> Finding:
    verdict, observed = _judged(scenario, contender)
    return Finding(scenario.__name__, contender.name, verdict, observed)


def _judged(scenario: Scenario, contender: type[Contender]) -> tuple[Verdict, str]:
    if contender.installed() is None:
        return "not installed", "pip install '.[bench]'"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            opened(contender, str(Path(folder) / "some.db")) as subject,
            time_limit(SCENARIO_S),
        ):
            is_kept, observed = scenario(subject)
    except Inapplicable as reason:
        return "not applicable", str(reason)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what there is to report
        return "crashed", f"{type(error).__name__}: {error}"
    return "kept" if is_kept else "broken", observed


def promise_of(scenario: Scenario) -> str:
    """The promise in words."""
    return inspect.getdoc(scenario) or scenario.__name__


def as_text(found: Sequence[Finding]) -> str:
    """A paragraph per promise."""
    lines: list[str] = []
    for scenario in SCENARIOS:
        lines += ["", promise_of(scenario)]
        lines += [f"  {one.contender:27} {one.verdict:14} {one.observed}" for one in found if one.promise == scenario.__name__]
    return "\n".join(lines[1:])


def as_markdown(found: Sequence[Finding]) -> str:
    """One table: promises down, contenders across, for the documentation."""
    installed = [contender for contender in CONTENDERS if contender.installed()]
    names = [f"{contender.name} ({contender.installed()})" for contender in installed]
    lines = [f"| promise | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    by_place = {(one.promise, one.contender): one for one in found}
    for scenario in SCENARIOS:
        cells = [_cell(by_place[scenario.__name__, contender.name]) for contender in installed]
        lines.append(f"| {promise_of(scenario)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(finding: Finding) -> str:
    if finding.verdict in {"kept", "not applicable"}:
        return finding.verdict
    return f"**{finding.verdict}**: {finding.observed}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print who keeps which promise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks semantics", description=main.__doc__)
    parser.add_argument("--markdown", action="store_true", help="one table, for the documentation")
    options = parser.parse_args(arguments)
    logger.disable("retrovue_uow")  # it would report what the scenarios provoke
    found = findings()
    sys.stdout.write((as_markdown(found) if options.markdown else as_text(found)) + "\n")


if __name__ == "__main__":
    main()
