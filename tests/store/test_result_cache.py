"""The file of what probing found: it keeps what it is given within its bounds, and whatever happens to it fails nobody."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from loguru import logger

from retrovue_uow.store.result_cache import ResultCache

OLD_FORMAT = """
CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, packed BLOB NOT NULL, used INTEGER NOT NULL) STRICT;
CREATE INDEX entry_used ON entry (used);
PRAGMA application_id = 0x52565543;
PRAGMA user_version = 1;
PRAGMA journal_mode = wal;
INSERT INTO entry (key, packed, used) VALUES ('old', x'00', 0);
"""


@pytest.fixture
def catalog_path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.db"
    path.touch()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db.cache.db"


@pytest.fixture
def cache(catalog_path: Path) -> ResultCache:
    return ResultCache(str(catalog_path))


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """The events that the library warns of."""
    events: list[str] = []
    logger.enable("retrovue_uow")
    handler = logger.add(lambda message: events.append(message.record["message"]), level="WARNING")
    yield events
    logger.remove(handler)
    logger.disable("retrovue_uow")


def random_text(size: int = 500, seed: int = 0) -> str:
    """Text of about that size that cannot be compressed to less than half of it."""
    return random.Random(seed).randbytes(size // 2).hex()


def fill(path: Path, count: int = 500) -> None:
    """Make a cache of some pages."""
    with ResultCache(str(path).removesuffix(".cache.db")) as cache:
        for number in range(count):
            cache.put(f"key {number}", random_text(seed=number))


def rows(path: Path, sql: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def is_kept(cache: ResultCache) -> bool:
    """Whether the next preparation finds what this one puts."""
    with cache:
        cache.put("a", "text")
    return cache.read(["a"]) == {"a": "text"}


def test_what_was_put_is_there_for_the_next_one(cache: ResultCache, catalog_path: Path, path: Path) -> None:
    with cache:
        cache.put("a", "one")
        cache.put("a", "Größe")
        assert not path.exists()

    assert ResultCache(str(catalog_path)).read(["a", "b"]) == {"a": "Größe"}
    assert sorted(each.name for each in path.parent.iterdir()) == ["catalog.db", path.name]


def test_a_new_text_takes_the_place_of_the_old_one(cache: ResultCache, path: Path) -> None:
    for text in ("one", "two"):
        with cache:
            cache.put("a", text)

    assert cache.read(["a"]) == {"a": "two"}
    assert rows(path, "SELECT count(*) FROM entry") == [(1,)]


def test_nothing_is_made_before_there_is_something_to_keep(cache: ResultCache, path: Path) -> None:
    with cache:
        cache.read(["a"])

    assert not path.exists()


def test_a_catalogue_in_memory_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert not is_kept(ResultCache(":memory:"))
    assert list(tmp_path.iterdir()) == []


def test_it_is_written_while_there_is_more_to_come(cache: ResultCache, path: Path) -> None:
    with cache:
        deadline = time.monotonic() + 30
        while not path.exists() and time.monotonic() < deadline:
            cache.put("a", "text")
            time.sleep(0.01)

        assert rows(path, "SELECT key FROM entry") == [("a",)]


def test_it_is_written_where_the_preparation_fails(cache: ResultCache) -> None:
    with pytest.raises(KeyboardInterrupt), cache:
        cache.put("a", "text")
        raise KeyboardInterrupt

    assert cache.read(["a"]) == {"a": "text"}


def test_the_file_stays_within_its_bounds_and_the_newest_stay_in_it(catalog_path: Path, path: Path) -> None:
    cache = ResultCache(str(catalog_path), max_bytes=400_000)
    for number in range(4000):
        cache.put(str(number), random_text(1000, number))
        if number % 50 == 0:
            with cache:
                pass
            assert path.stat().st_size < 520_000
    with cache:
        pass

    assert cache.read(["0", "3999"]) == {"3999": random_text(1000, 3999)}


def test_a_bound_below_an_empty_file_ends_nothing(catalog_path: Path, warnings: list[str]) -> None:
    is_kept(ResultCache(str(catalog_path), max_bytes=1000))

    assert warnings == []


def garbage(path: Path) -> None:
    path.write_bytes(b"once upon a time there was a file " * 1000)


def zeros(path: Path) -> None:
    path.write_bytes(b"\0" * 8192)


def cut_off(path: Path) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.truncate(5000)


def overwritten(path: Path) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def without_its_table(path: Path) -> None:
    fill(path)
    rows(path, "DROP TABLE entry; CREATE TABLE another (id INTEGER PRIMARY KEY) STRICT")


@pytest.mark.parametrize("spoil", [garbage, zeros, cut_off, overwritten, without_its_table])
def test_a_damaged_file_is_replaced_and_logged_once(
    cache: ResultCache, path: Path, spoil: Callable[[Path], None], warnings: list[str]
) -> None:
    spoil(path)

    assert cache.read(["key 1"]) == {}
    assert is_kept(cache)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert warnings == ["result_cache_replaced"]


def test_an_empty_file_is_used(cache: ResultCache, path: Path) -> None:
    path.touch()

    assert is_kept(cache)


@pytest.mark.parametrize("user_version", [1, 999])
def test_the_entries_of_another_format_are_forgotten(
    cache: ResultCache, path: Path, user_version: int, warnings: list[str]
) -> None:
    rows(path, OLD_FORMAT)
    rows(path, f"PRAGMA user_version = {user_version}")

    assert cache.read(["old"]) == {}
    assert is_kept(cache)
    assert rows(path, "SELECT key FROM entry") == [("a",)]
    assert warnings == []


def test_an_entry_that_cannot_be_unpacked_is_none(cache: ResultCache, path: Path) -> None:
    fill(path, 3)
    rows(path, "UPDATE entry SET packed = x'00ff' WHERE key = 'key 1'")

    assert cache.read(["key 1", "key 2"]) == {"key 2": random_text(seed=2)}


def test_a_column_of_another_type_is_survived(cache: ResultCache, path: Path) -> None:
    fill(path, 1)
    rows(path, "DROP TABLE entry; CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT UNIQUE, packed)")
    rows(path, "INSERT INTO entry (key, packed) VALUES ('a', 'text'), ('b', 1), ('c', NULL)")

    assert cache.read(["a", "b", "c"]) == {}


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("/proc/nowhere/cache.db")


def somebody_elses_database(path: Path) -> None:
    rows(path, "CREATE TABLE recipe (id INTEGER PRIMARY KEY) STRICT; INSERT INTO recipe VALUES (1)")


def a_file_that_may_not_be_written(path: Path) -> None:
    fill(path)
    path.chmod(0o444)


def a_folder_that_may_not_be_written(path: Path) -> None:
    path.parent.chmod(0o555)


needs_a_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.mark.parametrize(
    "hinder",
    [
        a_folder,
        a_pipe,
        a_link_to_nowhere,
        somebody_elses_database,
        pytest.param(a_file_that_may_not_be_written, marks=needs_a_user),
        pytest.param(a_folder_that_may_not_be_written, marks=needs_a_user),
    ],
)
def test_where_no_cache_can_be_everybody_does_without_and_is_told_once(
    tmp_path: Path, cache: ResultCache, path: Path, hinder: Callable[[Path], None], warnings: list[str]
) -> None:
    hinder(path)
    before = {each.name: each.lstat().st_mode for each in tmp_path.iterdir()}

    for _ in range(3):
        assert not is_kept(cache)

    assert {each.name: each.lstat().st_mode for each in tmp_path.iterdir()} == before
    assert warnings == ["result_cache_unusable"]
    tmp_path.chmod(0o755)


def test_somebody_else_s_database_keeps_its_rows(cache: ResultCache, path: Path) -> None:
    somebody_elses_database(path)

    assert not is_kept(cache)

    assert rows(path, "SELECT name FROM sqlite_schema") == [("recipe",)]
    assert rows(path, "SELECT id FROM recipe") == [(1,)]


def test_what_is_of_no_use_goes_with_all_that_belongs_to_it(cache: ResultCache, path: Path) -> None:
    garbage(path)
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").touch()

    assert cache.read(["a"]) == {}

    assert [each.name for each in path.parent.iterdir()] == ["catalog.db"]


def test_deleted_between_two_uses_it_begins_anew(cache: ResultCache, path: Path) -> None:
    fill(path)
    path.unlink()

    assert cache.read(["key 1"]) == {}
    assert is_kept(cache)


def test_a_folder_that_went_is_survived(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    cache = ResultCache(str(folder / "catalog.db"))
    assert is_kept(cache)

    shutil.rmtree(folder)

    assert not is_kept(cache)
    assert not folder.exists()


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_locked_file_costs_a_moment_and_is_written_once_it_is_free(
    cache: ResultCache, path: Path, lock: str, warnings: list[str]
) -> None:
    fill(path, 1)
    other = apsw.Connection(str(path))
    other.execute(lock)
    started = time.monotonic()

    with cache:
        cache.put("a", "text")
    assert time.monotonic() - started < 5
    other.close()
    with cache:
        pass

    assert cache.read(["a", "key 0"]) == {"a": "text", "key 0": random_text()}
    assert warnings == ["result_cache_unusable"]


def test_threads_do_not_lose_each_other_s_texts(cache: ResultCache, path: Path) -> None:
    def work(own: int) -> None:
        for number in range(300):
            cache.put(f"{own} {number}", random_text(200, number))
            if number % 50 == 0:
                with cache:
                    pass

    threads = [threading.Thread(target=work, args=(own,)) for own in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with cache:
        pass

    assert rows(path, "SELECT count(*) FROM entry") == [(1800,)]


def test_processes_that_begin_at_once_share_one_file(catalog_path: Path, path: Path) -> None:
    script = (
        "import sys\n"
        "from retrovue_uow.store.result_cache import ResultCache\n"
        "cache = ResultCache(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for number in range(200):\n"
        "    cache.put(f'{sys.argv[2]} {number}', 'text')\n"
        "    if number % 20 == 0:\n"
        "        with cache: pass\n"
        "with cache: pass\n"
    )
    command = [sys.executable, "-c", script, str(catalog_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers: list[subprocess.Popen[str]] = [subprocess.Popen([*command, str(number)], **pipes) for number in range(3)]  # type: ignore[call-overload]  # as Popen takes them
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=60)

    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert rows(path, "SELECT count(*) FROM entry") == [(600,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_was_written_survives_kill_9(cache: ResultCache, catalog_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from retrovue_uow.store.result_cache import ResultCache\n"
        "with ResultCache(sys.argv[1]) as cache:\n"
        "    cache.put('a', 'written')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    done = subprocess.run([sys.executable, "-c", script, str(catalog_path)], timeout=60, check=False)

    assert done.returncode == -signal.SIGKILL
    assert cache.read(["a"]) == {"a": "written"}


FORKED = """
import os, sys, threading
import apsw
from retrovue_uow.store.result_cache import ResultCache

with ResultCache(sys.argv[1]) as cache:
    cache.put("a", "text")
other = apsw.Connection(sys.argv[1] + ".cache.db")  # another thread is at work
other.execute("PRAGMA cache_size = 2; BEGIN IMMEDIATE")
other.executemany("INSERT INTO entry (key, packed) VALUES (?, ?)", [(str(n), os.urandom(250)) for n in range(200)])
pid = os.fork()
if pid == 0:
    with ResultCache(sys.argv[1]) as cache:
        assert cache.read(["a"]) == {}
        cache.put("b", "text")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
other.execute("COMMIT")
other.close()
with ResultCache(sys.argv[1]) as cache:
    cache.put("c", "text")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_forked_child_does_without_a_file_that_was_open_and_leaves_the_parent_s_alone(
    cache: ResultCache, catalog_path: Path, path: Path
) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED, str(catalog_path)], timeout=60, check=False)

    assert done.returncode == 0
    assert cache.read(["a", "b", "c"]) == {"a": "text", "c": "text"}
    assert rows(path, "SELECT count(*) FROM entry") == [(202,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


INTERRUPTED = """
import random, signal, sys, time
import apsw
from retrovue_uow.store.result_cache import ResultCache


def interrupt(number, frame):
    global is_armed
    while is_armed and frame is not None and frame.f_code is not work.__code__:
        frame = frame.f_back
    if is_armed and frame is not None:  # it strikes the work, and never what stands around it
        is_armed = False
        raise KeyboardInterrupt


def work():
    for number in range(10**6):
        cache = ResultCache(sys.argv[1])
        with cache:
            cache.put(str(number % 50), "text " * 20)
        cache.read(["first"])


is_armed = False
signal.signal(signal.SIGALRM, interrupt)
with ResultCache(sys.argv[1]) as first:
    first.put("first", "text")
other = apsw.Connection(sys.argv[1] + ".cache.db")
interrupts = 0
ends_at = time.monotonic() + 2
while time.monotonic() < ends_at:
    try:
        is_armed = True
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.005), 0.0002)
        work()
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    interrupts += 1
    other.execute("BEGIN IMMEDIATE; ROLLBACK")
    assert first.read(["first"]) == {"first": "text"}
print(interrupts)
"""


def test_ctrl_c_at_any_time_neither_loses_what_was_written_nor_locks_anybody_out(
    cache: ResultCache, catalog_path: Path, path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(catalog_path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
    assert cache.read(["first"]) == {"first": "text"}
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
