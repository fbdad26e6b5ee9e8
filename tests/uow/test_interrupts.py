"""Ctrl-C at every byte-code of enter, execute and exit: all or nothing, and the next unit works without help."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from proof.figures import Proof, Size

from retrovue_uow import ContractError, Database
from retrovue_uow.uow import interrupts

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # a lock file freed by an interrupt says so
SAMPLE = 80
"""Byte-codes of each walk at which an interrupt strikes, unless all are asked for."""
UOW = str(Path(interrupts.__file__).parent)


class Interrupting:
    """Raises at the n-th byte-code, or call, that is run in `uow`; counts them where n is never reached."""

    def __init__(self, at: int, kind: type[BaseException] = KeyboardInterrupt) -> None:
        self.at = at
        self.kind = kind
        self.seen = 0

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(UOW):
            return None
        frame.f_trace_opcodes = True
        if event in {"call", "opcode"}:
            self.seen += 1
            if self.seen == self.at:
                raise self.kind
        return self

    def __enter__(self) -> Interrupting:
        sys.settrace(self)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)


def walked(size: Size, kind: type[BaseException], work: Callable[[], object], judge: Callable[[], object]) -> tuple[int, int]:
    """Do the work with an interrupt at each of its byte-codes, or at a sample of them: how many those were, and of how many."""
    for _ in range(2):  # the first time it does more: its statements are new
        with suppress(ValueError), Interrupting(0) as counting:
            work()
        judge()
    tried = 0
    for point in itertools.chain(size.some(range(1, counting.seen + 1), SAMPLE), itertools.count(counting.seen + 1)):
        with suppress(KeyboardInterrupt, MemoryError, ValueError), Interrupting(point, kind) as interrupting:
            work()
        judge()
        if interrupting.seen >= point:
            tried += 1
        elif point > counting.seen:
            break
    return tried, counting.seen


Body = Callable[[Database], None]


def write(db: Database, name: str) -> None:
    db.execute("INSERT INTO item (name) VALUES (?)", (name,))


def root(db: Database) -> None:
    with db.session():
        write(db, "a")
        write(db, "b")


def nested(db: Database) -> None:
    with db.session():
        write(db, "a")
        with db.session():
            write(db, "b")


def contained(db: Database) -> None:
    with db.session():
        write(db, "a")
        with db.session(contain=True):
            write(db, "b")


def read_only_inside(db: Database) -> None:
    with db.session():
        write(db, "a")
        with db.read_only():
            db.execute("SELECT count(*) FROM item")
        write(db, "b")


def failing_root(db: Database) -> None:
    with db.session():
        write(db, "a")
        raise ValueError("the body failed")


def failing_nested(db: Database) -> None:
    with db.session():
        write(db, "a")
        with db.session():
            write(db, "b")
            raise ValueError("the body failed")


@pytest.fixture(autouse=True)
def _no_coverage_tracer() -> Iterator[None]:
    before = sys.gettrace()
    yield
    sys.settrace(before)


WALKS = [
    *((body, KeyboardInterrupt, False) for body in (root, nested, contained, read_only_inside, failing_root, failing_nested)),
    *((body, KeyboardInterrupt, True) for body in (root, nested)),
    *((body, MemoryError, False) for body in (root, failing_nested)),
]


@pytest.mark.proof(
    "Ctrl-C or a lack of memory at any moment of a unit of work leaves all of it or nothing, and a handle that works",
    how="raised before every byte-code and call inside `retrovue_uow.uow`, of entering, executing and leaving",
)
@pytest.mark.parametrize(("body", "kind", "keeps_traceback"), WALKS)
def test_an_interrupt_at_any_byte_code_is_all_or_nothing(
    db: Database,
    names: Callable[[], list[str]],
    body: Body,
    kind: type[BaseException],
    keeps_traceback: bool,
    size: Size,
    figures: Proof,
) -> None:
    whole = [] if body in {failing_root, failing_nested} else ["a", "b"]
    kept: list[BaseException] = []  # a traceback keeps the frames alive, as a debugger or a test does

    def work() -> None:
        try:
            body(db)
        except BaseException as error:
            kept.extend([error] if keeps_traceback else [])
            raise

    def judge() -> None:
        durable = names()[1:]
        assert durable in ([], whole)
        assert not db.in_unit
        with db.session():  # the next unit on the same handle
            assert db.execute("SELECT name FROM item WHERE id > 1 ORDER BY id") == [(name,) for name in durable]
            db.execute("DELETE FROM item WHERE id > 1")
        kept.clear()

    tried, byte_codes = walked(size, kind, work, judge)

    assert byte_codes > 500, "the walk must have seen hundreds of byte-codes"
    figures.add({"interrupts": tried, "byte-codes": byte_codes})


@pytest.mark.proof(
    "Ctrl-C at any moment of reading leaves a handle that works",
    how="raised before every byte-code and call inside `retrovue_uow.uow`, of a read-only block",
)
def test_a_snapshot_interrupted_at_any_byte_code_harms_nobody(
    db: Database, works: Callable[[], None], size: Size, figures: Proof
) -> None:
    def read() -> None:
        with db.read_only():
            db.execute("SELECT count(*) FROM item")

    tried, byte_codes = walked(size, KeyboardInterrupt, read, works)

    assert byte_codes > 80
    figures.add({"interrupts": tried, "byte-codes": byte_codes})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an interrupt of what cleans up at the end
@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_a_swallowed_nested_failure_undoes_everything_though_an_interrupt_comes_between(
    db: Database, names: Callable[[], list[str]], kind: type[BaseException], size: Size
) -> None:
    began: list[bool] = []

    def work() -> None:
        began.clear()
        with suppress(ContractError), db.session():
            write(db, "outer")
            with suppress(KeyboardInterrupt, MemoryError, ValueError), db.session():
                began.append(True)
                raise ValueError("the body failed")

    def judge() -> None:
        assert names()[1:] == [] or not began
        with db.session():
            db.execute("DELETE FROM item WHERE id > 1")

    tried, _ = walked(size, kind, work, judge)

    assert tried >= (size.most(SAMPLE) or SAMPLE)
