"""One unit, one owner: threads, tasks and forked children that are not it are refused, and do no harm."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from retrovue_uow import ContractError, Database

Names = Callable[[], list[str]]


def add(db: Database, name: str) -> None:
    db.execute("INSERT INTO item (name) VALUES (?)", (name,))


def in_a_thread(call: Callable[[], object]) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except ContractError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_another_thread_is_refused_and_the_owner_commits(db: Database, names: Names) -> None:
    def use() -> None:
        with db.session():
            add(db, "theirs")

    with db.session():
        add(db, "ours")
        refused = [in_a_thread(call) for call in (use, lambda: add(db, "theirs"), lambda: db.execute("SELECT 1"), db.close)]
        add(db, "ours, too")

    assert all(isinstance(error, ContractError) for error in refused)
    assert names() == ["first", "ours", "ours, too"]


def test_another_thread_cannot_leave_the_unit(db: Database, names: Names) -> None:
    with db.session():
        add(db, "ours")
        unit = db.transaction.units[-1]
        refused = in_a_thread(lambda: unit.leave(None))  # type: ignore[attr-defined]

    assert isinstance(refused, ContractError)
    assert names() == ["first", "ours"]


def test_another_thread_may_have_the_next_unit(db: Database, names: Names) -> None:
    def write() -> None:
        with db.session():
            add(db, "theirs")

    with db.session():
        add(db, "ours")

    assert in_a_thread(write) is None
    assert names() == ["first", "ours", "theirs"]


def test_another_task_on_the_same_thread_is_refused(db: Database, names: Names) -> None:
    async def owner(ready: asyncio.Event, go_on: asyncio.Event) -> None:
        with db.session():
            add(db, "ours")
            ready.set()
            await go_on.wait()
            add(db, "ours, too")

    async def main() -> None:
        ready, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(owner(ready, go_on))
        await ready.wait()
        with pytest.raises(ContractError, match="another thread or task"):
            add(db, "theirs")
        with pytest.raises(ContractError, match="another thread or task"), db.session():
            pytest.fail("opened a unit in another task")
        with pytest.raises(ContractError, match="another thread or task"):
            await asyncio.to_thread(add, db, "theirs")
        go_on.set()
        await task

    asyncio.run(main())

    assert names() == ["first", "ours", "ours, too"]


def test_a_cancelled_task_rolls_back(db: Database, names: Names, works: Callable[[], None]) -> None:
    async def main() -> None:
        async def owner() -> None:
            with db.session():
                add(db, "cancelled")
                await asyncio.sleep(60)

        task = asyncio.create_task(owner())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert names() == ["first"]
    works()


def test_an_exit_stack_may_hold_a_unit(db: Database, names: Names) -> None:
    with ExitStack() as stack:
        stack.enter_context(db.session())
        stack.enter_context(db.session())
        add(db, "stacked")

    assert names() == ["first", "stacked"]


CHILD = """
import os, sys, signal
from retrovue_uow import ContractError, Database
db = Database(sys.argv[1])
with db.session():
    db.execute("INSERT INTO item (name) VALUES ('parent')")
    pid = os.fork()
    if pid == 0:
        for use in (lambda: db.execute("SELECT 1"), lambda: db.session().__enter__(), db.close):
            try:
                use()
            except ContractError as error:
                assert "fork" in str(error), error
            else:
                os._exit(9)
        HOW
    _, status = os.waitpid(pid, 0)
    assert status == STATUS, status
    db.execute("INSERT INTO item (name) VALUES ('parent, too')")
with db.session():
    db.execute("INSERT INTO item (name) VALUES ('the next unit')")
assert db.execute("PRAGMA integrity_check") == [("ok",)]
db.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("sys.exit(0)", 0),
        ("os._exit(0)", 0),
        ("raise SystemExit(0)", 0),
        ("os.kill(os.getpid(), signal.SIGKILL)", int(signal.SIGKILL)),
        ("del db; import gc; gc.collect(); sys.exit(0)", 0),
    ],
)
def test_a_forked_child_can_neither_use_nor_damage_the_parents_unit(
    db: Database, path: Path, names: Names, how: str, status: int
) -> None:
    script = CHILD.replace("HOW", how).replace("STATUS", str(status))

    ran = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr
    assert names() == ["first", "parent", "parent, too", "the next unit"]


def test_a_unit_left_in_another_thread_without_an_error_stays_its_owner_s(db: Database, names: Names) -> None:
    unit = db.session()
    unit.__enter__()
    add(db, "kept")
    refused: list[BaseException] = []

    def leave() -> None:
        try:
            unit.leave(None)
        except ContractError as error:
            refused.append(error)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()

    assert db.path in str(refused[0])
    add(db, "kept, too")
    unit.leave(None)
    assert names() == ["first", "kept", "kept, too"]


COLLECTING = """
import gc, os, sys, weakref
from retrovue_uow import Database
db = Database(sys.argv[1])
unit = db.session()
unit.__enter__()
pid = os.fork()
if pid == 0:
    connection = weakref.ref(db.connection)
    del db, unit
    gc.collect()
    os._exit(connection() is None)
_, status = os.waitpid(pid, 0)
unit.leave(None)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_that_forgets_the_database_does_not_close_the_parents_connection(db: Database, path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", COLLECTING, str(path)], timeout=60, check=False)

    assert ran.returncode == 0
