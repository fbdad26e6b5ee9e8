"""Entering a unit: waiting for others, in turn, and starting clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest
from proof.figures import Size

from retrovue_uow import ContractError, Database, ResourceError

Names = Callable[[], list[str]]


@pytest.fixture
def stranger(path: Path, db: Database) -> Iterator[apsw.Connection]:
    """A connection that does not queue."""
    connection = apsw.Connection(str(path))
    yield connection
    connection.close()


def test_another_writer_costs_a_resource_error_and_the_body_is_never_run(
    db: Database, stranger: apsw.Connection, names: Names
) -> None:
    stranger.execute("BEGIN IMMEDIATE")

    with pytest.raises(ResourceError, match="locked by another process"), db.session():
        pytest.fail("the body ran")

    stranger.execute("ROLLBACK")
    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('later')")
    assert names() == ["first", "later"]


def test_after_waiting_the_unit_sees_what_the_other_committed(path: Path, stranger: apsw.Connection) -> None:
    patient = Database(path, busy_timeout_ms=20_000)
    stranger.execute("BEGIN IMMEDIATE; UPDATE item SET name = 'changed'").fetchall()
    timer = threading.Timer(0.2, lambda: stranger.execute("COMMIT"))
    timer.start()

    with patient.session():
        seen = patient.execute("SELECT name FROM item")

    timer.join()
    patient.close()
    assert seen == [("changed",)]


WAITING = """
import sys
from retrovue_uow import Database
db = Database(sys.argv[1], busy_timeout_ms=60_000, write_wait_s=60)
print("waiting", flush=True)
with db.session():
    print("entered", flush=True)
"""


@pytest.mark.parametrize("queued", [False, True])
def test_ctrl_c_is_answered_while_waiting(
    db: Database, path: Path, stranger: apsw.Connection, names: Names, queued: bool
) -> None:
    with ExitStack() as stack:
        if queued:
            stack.enter_context(db.session())
        else:
            stack.callback(stranger.execute, "ROLLBACK")
            stranger.execute("BEGIN IMMEDIATE")
        process = subprocess.Popen([sys.executable, "-c", WAITING, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)  # let it get into the wait; it would get out of it only after a minute
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)  # the wait itself would go on for a minute

    assert out == b""
    assert b"KeyboardInterrupt" in err


def test_a_half_read_cursor_of_foreign_code_does_not_weaken_the_unit(db: Database, names: Names) -> None:
    cursor = db.connection.execute("SELECT name FROM item UNION ALL SELECT 'more'")
    next(cursor)

    with pytest.raises(ValueError, match="mine"), db.session():
        assert db.connection.in_transaction
        db.execute("INSERT INTO item (name) VALUES ('gone')")
        raise ValueError("mine")
    assert names() == ["first"]

    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('kept')")
    assert names() == ["first", "kept"]


def test_a_half_read_cursor_on_an_old_snapshot_is_named_at_once(db: Database, stranger: apsw.Connection) -> None:
    patient = Database(db.path, busy_timeout_ms=60_000)
    cursor = patient.connection.execute("SELECT name FROM item UNION ALL SELECT 'more'")
    next(cursor)
    stranger.execute("UPDATE item SET name = 'changed'").fetchall()

    with pytest.raises(ContractError, match="half-read"), patient.session():
        pytest.fail("the body ran")

    cursor.close()
    with patient.session():
        assert patient.execute("SELECT name FROM item") == [("changed",)]
    patient.close()


def test_an_orphan_transaction_is_rolled_back(db: Database, names: Names) -> None:
    authorizer, db.connection.authorizer = db.connection.authorizer, None
    db.connection.execute("BEGIN; INSERT INTO item (name) VALUES ('orphan')").fetchall()
    db.connection.authorizer = authorizer

    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")

    assert names() == ["first", "ours"]


def test_a_leaked_query_only_is_lifted(db: Database, names: Names) -> None:
    authorizer, db.connection.authorizer = db.connection.authorizer, None
    db.connection.execute("PRAGMA query_only = 1").fetchall()
    db.connection.authorizer = authorizer

    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")

    assert names() == ["first", "ours"]


def test_a_unit_on_a_read_only_database_fails_at_entry(db: Database, path: Path) -> None:
    reader = Database(path, read_only=True)

    with pytest.raises(ResourceError, match="opened read-only"), reader.session():
        pytest.fail("the body ran")

    assert reader.execute("SELECT name FROM item") == [("first",)]
    reader.close()


def test_whoever_waits_too_long_in_the_queue_is_told(db: Database, path: Path, names: Names) -> None:
    hasty = Database(path, write_wait_s=0.1)
    with db.session():
        with pytest.raises(ResourceError, match="kept its turn"), hasty.session():
            pytest.fail("the body ran")
        db.execute("INSERT INTO item (name) VALUES ('ours')")

    with hasty.session():  # the wait that was given up does not stand in anybody's way
        hasty.execute("INSERT INTO item (name) VALUES ('theirs')")
    hasty.close()
    assert names() == ["first", "ours", "theirs"]


WRITING = """
import sys, time
from retrovue_uow import Database
db = Database(sys.argv[1], busy_timeout_ms=1000)
print("ready", flush=True)
sys.stdin.readline()
end, units, longest = time.monotonic() + float(sys.argv[2]), 0, 0.0
while time.monotonic() < end:
    asked = time.monotonic()
    with db.session():
        longest = max(longest, time.monotonic() - asked)
        db.execute("INSERT INTO item (name) VALUES (hex(randomblob(16)))")
        time.sleep(0.002)
    units += 1
print(units, longest, flush=True)
"""


def test_saturating_writers_are_served_in_turn(db: Database, path: Path, size: Size) -> None:
    """Jain's index (1: all got the same) over eight processes, and no lock error. The figures are in the benchmarks."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(path), str(size.choose(sample=1, full=3))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    shares = [int(process.communicate(timeout=60)[0].split()[0]) for process in processes]

    assert all(process.returncode == 0 for process in processes)
    assert sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) > 0.9
    assert len(db.execute("SELECT id FROM item")) == 1 + sum(shares)


HOLDING = """
import sys, time
from retrovue_uow import Database
db = Database(sys.argv[1])
with db.session():
    print("holding", flush=True)
    time.sleep(60)
"""


def test_the_place_in_the_queue_is_freed_with_its_process(db: Database, path: Path, names: Names) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    process.kill()
    process.communicate()

    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('ours')")
    assert names() == ["first", "ours"]


GIVING_UP = """
import sys
from retrovue_uow import Database, ResourceError
db = Database(sys.argv[1], write_wait_s=0.1)
try:
    with db.session():
        pass
except ResourceError as error:
    print("gave up" if sys.argv[1] in str(error) else error)
"""


def test_a_process_whose_turn_does_not_come_says_so_and_ends(db: Database, path: Path) -> None:
    with db.session():
        done = subprocess.run(
            [sys.executable, "-c", GIVING_UP, str(path)], capture_output=True, text=True, timeout=30, check=False
        )

    assert (done.returncode, done.stdout) == (0, "gave up\n"), done.stderr


def test_ctrl_c_at_the_moment_of_ones_turn_gives_the_turn_back(
    db: Database, path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, third = Database(path, write_wait_s=5), Database(path, write_wait_s=1)
    holder = db.session()
    holder.__enter__()
    wait = threading.Event.wait

    def wait_until_the_turn_has_come(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout is None:
            return wait(event)
        holder.leave(None)
        wait(event, timeout)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Event, "wait", wait_until_the_turn_has_come)
        with pytest.raises(KeyboardInterrupt), waiting.session():
            pytest.fail("entered")

    with third.session():
        third.execute("INSERT INTO item (name) VALUES ('third')")
    assert names() == ["first", "third"]
    waiting.close()
    third.close()


def test_a_database_in_memory_queues_nowhere_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with Database(":memory:") as memory, memory.session():
        memory.execute("CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT")

    assert list(tmp_path.iterdir()) == []


def test_a_device_in_place_of_the_queue_s_file_is_told(db: Database, path: Path) -> None:
    side_file = path.with_name(f"{path.name}-next")
    side_file.unlink()
    side_file.symlink_to(os.devnull)

    with pytest.raises(ResourceError, match="no regular file"), db.session():
        pytest.fail("entered")


OUTLIVED = """
import os, signal, sys, time
from retrovue_uow import Database
db = Database(sys.argv[1])
with db.session():
    pid = os.fork()
    if pid == 0:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(pid, flush=True)
    time.sleep(0.1)  # so that the child has got as far as to sleep
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_child_that_outlives_the_holder_does_not_keep_the_turn(db: Database, path: Path, names: Names) -> None:
    ran = subprocess.run([sys.executable, "-c", OUTLIVED, str(path)], stdout=subprocess.PIPE, text=True, check=False)

    try:
        with Database(path, write_wait_s=1) as other, other.session():
            other.execute("INSERT INTO item (name) VALUES ('ours')")
    finally:
        os.kill(int(ran.stdout), signal.SIGKILL)

    assert names() == ["first", "ours"]


STOPPED = """
import sys
from retrovue_uow import Database
with Database(sys.argv[1]) as db:
    print("waiting", flush=True)
    with db.session():
        db.execute("INSERT INTO item (name) VALUES ('stopped for a while')")
"""


def is_stopped(process: subprocess.Popen[str]) -> bool:
    """Whether each of its threads is."""
    threads = [each.read_text() for each in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    return {thread.rpartition(")")[2].split()[0] for thread in threads} == {"T"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the platform does not say who is stopped")
def test_a_process_that_is_next_and_stopped_is_passed_by(db: Database, path: Path, names: Callable[[], list[str]]) -> None:
    side_file = path.with_name(f"{path.name}-next")
    with db.session():
        waiting = subprocess.Popen([sys.executable, "-c", STOPPED, str(path)], stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        while str(waiting.pid) not in side_file.read_text():
            time.sleep(0.01)
        waiting.send_signal(signal.SIGSTOP)
        while not is_stopped(waiting):
            time.sleep(0.01)

    with Database(path, write_wait_s=20) as other, other.session():
        other.execute("INSERT INTO item (name) VALUES ('passed by')")

    assert "passed by" in names()
    waiting.send_signal(signal.SIGCONT)
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert "stopped for a while" in names()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the platform does not say who is stopped")
def test_a_holder_that_is_stopped_is_named_with_what_to_do(path: Path, db: Database) -> None:
    steps = "print('holding', flush=True)", "sys.stdin.readline()", "db.execute"
    script = STOPPED.replace("db.execute", "\n        ".join(steps))
    holding = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holding.stdout is not None
    assert [holding.stdout.readline() for _ in range(2)] == ["waiting\n", "holding\n"]
    holding.send_signal(signal.SIGSTOP)
    while not is_stopped(holding):
        time.sleep(0.01)

    with (
        pytest.raises(ResourceError, match=f"process {holding.pid}, which is stopped: let it go on, or end it"),
        Database(path, write_wait_s=0.3) as other,
        other.session(),
    ):
        pytest.fail("had the turn")

    holding.send_signal(signal.SIGCONT)
    holding.communicate("\n", timeout=30)
    assert holding.returncode == 0
