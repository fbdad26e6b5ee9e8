"""Units whose block ended elsewhere, closed handles, files that are none: refused in our words, and the next unit works."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from retrovue_uow import ContractError, Database, ResourceError

Names = Callable[[], list[str]]
Works = Callable[[], None]


def add(db: Database, name: str) -> None:
    db.execute("INSERT INTO item (name) VALUES (?)", (name,))


def holding(db: Database, name: str) -> Iterator[None]:
    with db.session():
        add(db, name)
        yield


def in_a_thread(call: Callable[[], object]) -> BaseException | None:
    """What `call` raises in a thread of its own."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def write(db: Database, name: str) -> None:
    with db.session():
        add(db, name)


def test_a_unit_closed_from_another_thread_is_rolled_back_and_its_owner_goes_on(
    db: Database, names: Names, works: Works
) -> None:
    generator = holding(db, "gone")
    next(generator)

    assert in_a_thread(generator.close) is None  # type: ignore[attr-defined]  # a generator has it

    with suppress(ContractError):
        write(db, "told once")
    write(db, "kept")
    assert names() in (["first", "kept"], ["first", "told once", "kept"])
    works()


def test_the_owner_is_told_of_a_unit_closed_from_another_thread(db: Database, names: Names, works: Works) -> None:
    generator = holding(db, "gone")
    next(generator)
    in_a_thread(generator.close)  # type: ignore[attr-defined]  # a generator has it

    with pytest.raises(ContractError, match="ended by another thread"):
        add(db, "believed to be in the unit")

    assert names() == ["first"]
    works()


def test_after_a_unit_closed_from_another_thread_a_third_one_may_write(db: Database, names: Names, works: Works) -> None:
    generator = holding(db, "gone")
    next(generator)
    in_a_thread(generator.close)  # type: ignore[attr-defined]  # a generator has it

    assert in_a_thread(lambda: write(db, "theirs")) is None

    assert names() == ["first", "theirs"]
    works()


def test_a_unit_of_an_abandoned_async_generator_is_rolled_back(db: Database, names: Names, works: Works) -> None:
    async def items() -> AsyncIterator[str]:
        with db.session():
            add(db, "abandoned")
            yield "one"
            yield "two"

    async def consume() -> None:
        async for _ in items():
            break

    async def main() -> None:
        await asyncio.create_task(consume())
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        write(db, "in the same loop")

    asyncio.run(main())

    assert names() == ["first", "in the same loop"]
    works()


def test_a_unit_whose_thread_died_is_rolled_back_for_the_next(db: Database, names: Names, works: Works) -> None:
    kept: list[Iterator[None]] = [holding(db, "of the dead")]
    in_a_thread(lambda: next(kept[0]))

    write(db, "of the living")

    assert names() == ["first", "of the living"]
    works()
    kept.clear()
    works()


def test_a_new_thread_is_not_taken_for_the_dead_owner(db: Database, names: Names) -> None:
    """The system gives the identifier of a dead thread to one of the next."""
    kept, dead = holding(db, "of the dead"), []

    def open_unit() -> None:
        dead.append(threading.get_ident())
        next(kept)

    def inherit() -> None:
        if threading.get_ident() == dead[0]:
            dead.clear()
            write(db, "of the living")

    in_a_thread(open_unit)
    for _ in range(1000):
        if dead:
            assert in_a_thread(inherit) is None
    if dead:
        pytest.skip("no thread got the identifier of the dead one")

    assert names() == ["first", "of the living"]


def test_a_savepoint_outside_any_unit_is_refused_and_leaves_no_transaction(db: Database, works: Works) -> None:
    with pytest.raises(ContractError, match="refused"):
        db.execute("SAVEPOINT mine")

    assert not db.connection.in_transaction
    works()


@pytest.mark.parametrize("setting", ["locking_mode = EXCLUSIVE", "busy_timeout = 0"])
@pytest.mark.parametrize("inside", [False, True])
def test_settings_that_guard_the_lock_are_refused(db: Database, works: Works, setting: str, inside: bool) -> None:
    with db.session() if inside else nullcontext(), pytest.raises(ContractError, match="refused"):
        db.execute(f"PRAGMA {setting}")

    assert db.execute("PRAGMA locking_mode") == [("normal",)]
    works()


FORKING = """
import os, signal, sys, threading, time
from retrovue_uow import Database
holder, waiter = Database(sys.argv[1]), Database(sys.argv[1], write_wait_s=30)
def write(db, name):
    with db.session():
        db.execute("INSERT INTO item (name) VALUES (?)", (name,))
thread = threading.Thread(target=write, args=(waiter, "waited"))
with holder.session():
    thread.start()
    while not any(each.name == "retrovue-queue" for each in threading.enumerate()):
        time.sleep(0.01)
    time.sleep(0.1)  # let it get into the system call
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
try:
    thread.join()
    third = Database(sys.argv[1], write_wait_s=3)
    write(third, "third")
    write(holder, "holder")
    third.close()
finally:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
holder.close()
waiter.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_child_forked_while_a_thread_waits_does_not_keep_the_turn(db: Database, path: Path, names: Names) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING, str(path)]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr
    assert names() == ["first", "waited", "third", "holder"]


GIVEN_UP = """
import os, signal, sys, threading, time
from retrovue_uow import Database, ResourceError
holder, waiter, third = (Database(sys.argv[1], write_wait_s=wait) for wait in (5, 0.2, 3))
with holder.session():
    for _ in range(2):
        try:
            with waiter.session():
                sys.exit("entered")
        except ResourceError:
            pass
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
try:
    while any(each.name == "retrovue-queue" for each in threading.enumerate()):
        time.sleep(0.01)
    with third.session():
        third.execute("INSERT INTO item (name) VALUES ('third')")
finally:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
for db in (holder, waiter, third):
    db.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_child_forked_after_waits_were_given_up_does_not_keep_the_turn(db: Database, path: Path, names: Names) -> None:
    command = [sys.executable, "-W", "ignore", "-c", GIVEN_UP, str(path)]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr
    assert names() == ["first", "third"]


def test_a_snapshot_is_its_owners_alone(db: Database, works: Works) -> None:
    def snapshot() -> None:
        with db.read_only():
            db.execute("SELECT 1")

    with db.read_only():
        refused = [in_a_thread(use) for use in (lambda: db.execute("SELECT 1"), snapshot, lambda: write(db, "theirs"))]
        assert db.execute("SELECT name FROM item") == [("first",)]

    assert [type(error) for error in refused] == [ContractError] * 3
    works()


@pytest.mark.parametrize(
    "use",
    ["execute", "executemany", "session", "read_only", "backup"],
)
def test_a_closed_database_says_so(path: Path, use: str) -> None:
    closed = Database(path)
    closed.close()

    def read() -> None:
        with closed.read_only():
            pytest.fail("entered")

    uses: dict[str, Callable[[], object]] = {
        "execute": lambda: closed.execute("SELECT 1"),
        "executemany": lambda: closed.executemany("SELECT ?", [(1,)]),
        "session": lambda: write(closed, "nowhere"),
        "read_only": read,
        "backup": lambda: closed.backup(f"{path}.copy"),
    }
    with pytest.raises(ContractError, match="closed"):
        uses[use]()


@pytest.mark.parametrize("name", ["a\0b.db", "\udcff.db", b"bytes.db", "n" * 300, ""], ids=repr)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ResourceError):
        Database(name)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names on this platform")
def test_a_pipe_is_refused_without_waiting_for_its_other_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(ResourceError, match="no regular file"):
        Database(pipe)


def test_a_backup_inside_a_unit_is_refused_and_leaves_no_file(db: Database, tmp_path: Path, works: Works) -> None:
    before = sorted(tmp_path.iterdir())
    with db.session():
        with pytest.raises(ContractError, match="inside a unit"):
            db.backup(str(tmp_path / "copy.db"))
        assert sorted(tmp_path.iterdir()) == before

    works()


def test_a_backup_that_is_cancelled_leaves_no_file_and_may_be_tried_again(db: Database, tmp_path: Path) -> None:
    def cancel(done: int, pages: int) -> None:
        raise KeyError("cancelled")

    target = tmp_path / "copy.db"
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyError, match="cancelled"):
        db.backup(str(target), progress=cancel)
    assert sorted(tmp_path.iterdir()) == before

    db.backup(str(target))

    with Database(target, read_only=True) as copy:
        assert copy.execute("SELECT name FROM item") == [("first",)]
