"""The file of what enrichers found: it keeps what it is given within its bounds, and whatever happens to it fails nobody."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from loguru import logger

from retrovue_uow.store.enrichment_cache import EnrichmentCache, beside

SEVERAL_DAYS_S = 5 * 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db.cache.db"


@pytest.fixture
def cache(path: Path) -> Iterator[EnrichmentCache]:
    opened = EnrichmentCache(str(path))
    yield opened
    opened.close()


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


def filled(path: Path, count: int = 500) -> None:
    """Make a cache of some pages."""
    cache = EnrichmentCache(str(path))
    for number in range(count):
        cache.put(f"key {number}", random_text(seed=number))
    cache.close()


def read_back(path: Path, key: str) -> str | None:
    """What the file has under the key, as the next process sees it."""
    cache = EnrichmentCache(str(path))
    try:
        return cache.get(key)
    finally:
        cache.close()


def rows(path: Path, sql: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


class TestKeeping:
    def test_what_was_put_is_there_for_the_next_one(self, cache: EnrichmentCache, path: Path) -> None:
        cache.put("a", "Größe")
        cache.close()

        assert read_back(path, "a") == "Größe"
        assert read_back(path, "b") is None

    def test_it_is_there_at_once_for_whoever_put_it(self, cache: EnrichmentCache, path: Path) -> None:
        cache.put("a", "one")
        cache.put("a", "two")

        assert cache.get("a") == "two"
        assert not path.exists()

    def test_the_last_text_of_a_key_counts(self, cache: EnrichmentCache, path: Path) -> None:
        for text in ("one", "two"):
            cache.put("a", text)
            cache.flush()

        assert rows(path, "SELECT count(*) FROM entry") == [(1,)]
        assert cache.get("a") == "two"

    def test_nothing_is_made_before_there_is_something_to_keep(self, cache: EnrichmentCache, path: Path) -> None:
        cache.flush()
        cache.close()

        assert not path.exists()

    def test_that_of_a_catalogue_in_memory_leaves_no_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        cache = EnrichmentCache(beside(":memory:"))

        cache.put("a", "text")
        cache.flush()

        assert cache.get("a") == "text"
        cache.close()
        assert list(tmp_path.iterdir()) == []

    def test_closed_it_knows_nothing_and_keeps_nothing(self, cache: EnrichmentCache, path: Path) -> None:
        cache.put("a", "text")
        cache.close()
        before = path.read_bytes()

        cache.put("b", "text")
        cache.flush()
        cache.close()

        assert (cache.get("a"), cache.get("b")) == (None, None)
        assert path.read_bytes() == before
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_much_is_written_without_being_told(self, cache: EnrichmentCache, path: Path) -> None:
        for number in range(5000):
            cache.put(str(number), random_text(1000, number))

        assert rows(path, "SELECT count(*) > 3000 FROM entry") == [(1,)]

    def test_what_was_written_survives_kill_9(self, path: Path) -> None:
        script = (
            "import os, signal, sys\n"
            "from retrovue_uow.store.enrichment_cache import EnrichmentCache\n"
            "cache = EnrichmentCache(sys.argv[1])\n"
            "cache.put('a', 'written')\n"
            "cache.flush()\n"
            "cache.put('b', 'held')\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )

        done = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60, check=False)

        assert done.returncode == -signal.SIGKILL
        assert (read_back(path, "a"), read_back(path, "b")) == ("written", None)

    def test_to_read_an_entry_again_soon_costs_no_write(self, cache: EnrichmentCache, path: Path) -> None:
        for key in ("lately", "long ago"):
            cache.put(key, "text")
        cache.flush()
        rows(path, "UPDATE entry SET used = unixepoch() - iif(key = 'lately', 60, 86400)")
        before = rows(path, "SELECT used FROM entry WHERE key = 'lately'")

        assert (cache.get("lately"), cache.get("long ago")) == ("text", "text")
        cache.flush()

        assert rows(path, "SELECT used FROM entry WHERE key = 'lately'") == before
        assert rows(path, "SELECT unixepoch() - used < 60 FROM entry WHERE key = 'long ago'") == [(1,)]


class TestBounds:
    LIMIT = 400_000

    def test_the_file_stays_within_its_bounds_and_the_newest_stay_in_it(self, path: Path) -> None:
        cache = EnrichmentCache(str(path), max_bytes=self.LIMIT)

        for number in range(4000):
            cache.put(str(number), random_text(1000, number))
            if number % 50 == 0:
                cache.flush()
                assert path.stat().st_size < self.LIMIT * 1.3

        assert cache.get("3999") == random_text(1000, 3999)
        assert cache.get("0") is None
        cache.close()
        assert path.stat().st_size < self.LIMIT * 1.3

    def test_what_was_read_lately_outlives_what_was_not(self, path: Path) -> None:
        cache = EnrichmentCache(str(path), max_bytes=self.LIMIT)
        for number in range(200):
            cache.put(f"old {number}", random_text(1000, number))
        cache.flush()
        rows(path, f"UPDATE entry SET used = used - {SEVERAL_DAYS_S}")  # noqa: S608
        assert cache.get("old 7") is not None

        number = 0
        while rows(path, "SELECT count(*) FROM entry WHERE key LIKE 'old %'") == [(200,)]:
            number += 1
            cache.put(f"new {number}", random_text(1000, number))
            cache.flush()

        assert [cache.get(f"old {number}") is None for number in (6, 7, 8)] == [True, False, True]
        assert all(cache.get(f"new {each}") for each in range(1, number))
        cache.close()

    def test_a_text_as_large_as_the_file_may_be_displaces_nothing(self, path: Path) -> None:
        cache = EnrichmentCache(str(path), max_bytes=self.LIMIT)
        cache.put("small", "text")

        cache.put("large", random_text(2 * self.LIMIT))
        cache.flush()

        assert (cache.get("small"), cache.get("large")) == ("text", None)
        cache.close()

    def test_a_text_that_fills_nearly_an_eighth_is_kept(self, path: Path) -> None:
        cache = EnrichmentCache(str(path), max_bytes=self.LIMIT)
        text = random_text(84_000)
        size = len(zlib.compress(text.encode(), 1))
        assert self.LIMIT / 9 < size < self.LIMIT / 8

        cache.put("a", text)
        cache.flush()

        assert cache.get("a") == text
        cache.close()

    def test_a_lower_bound_makes_a_file_forget_until_it_is_within(self, path: Path) -> None:
        first = EnrichmentCache(str(path), max_bytes=self.LIMIT)
        for number in range(7):
            first.put(f"old {number}", random_text(50_000, number))
        first.close()

        cache = EnrichmentCache(str(path), max_bytes=self.LIMIT // 4)
        cache.put("new", "text")
        cache.close()

        kept = [key for (key,) in rows(path, "SELECT key FROM entry ORDER BY id")]
        used = rows(
            path,
            "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        assert kept[-2:] == ["old 6", "new"]
        assert used[0][0] <= self.LIMIT // 4

    def test_a_bound_below_an_empty_file_ends_nothing(self, path: Path) -> None:
        cache = EnrichmentCache(str(path), max_bytes=1000)

        cache.put("a", "text")
        cache.flush()

        assert cache.get("a") is None
        cache.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"once upon a time there was a file " * 1000)


def zeros(path: Path) -> None:
    path.write_bytes(b"\0" * 8192)


def cut_off(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.truncate(5000)


def overwritten(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def of_another_format(path: Path) -> None:
    filled(path)
    rows(path, "PRAGMA user_version = 999")


def without_its_table(path: Path) -> None:
    filled(path)
    rows(path, "DROP TABLE entry; CREATE TABLE another (id INTEGER PRIMARY KEY) STRICT")


@pytest.mark.parametrize("spoil", [garbage, zeros, cut_off, overwritten, of_another_format, without_its_table])
def test_a_file_that_is_of_no_use_is_replaced(path: Path, spoil: Callable[[Path], None], warnings: list[str]) -> None:
    spoil(path)
    cache = EnrichmentCache(str(path))

    for key in ("key 1", "key 2"):
        cache.get(key)
    cache.put("a", "text")
    cache.flush()
    cache.flush()

    assert cache.get("a") == "text"
    cache.close()
    assert read_back(path, "a") == "text"
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert warnings == ["enrichment_cache_replaced"]


def test_an_empty_file_is_used(path: Path, cache: EnrichmentCache) -> None:
    path.touch()

    cache.put("a", "text")
    cache.close()

    assert read_back(path, "a") == "text"


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("/proc/nowhere/cache.db")


def somebody_elses_database(path: Path) -> None:
    rows(path, "CREATE TABLE recipe (id INTEGER PRIMARY KEY) STRICT; INSERT INTO recipe VALUES (1)")


def a_file_that_may_not_be_written(path: Path) -> None:
    filled(path)
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
    tmp_path: Path, path: Path, hinder: Callable[[Path], None], warnings: list[str]
) -> None:
    hinder(path)
    before = [(each.name, each.lstat().st_mode) for each in tmp_path.iterdir()]
    cache = EnrichmentCache(str(path))

    for _ in range(3):
        cache.put("a", "text")
        cache.flush()
        cache.get("b")
    cache.close()

    assert [(each.name, each.lstat().st_mode) for each in tmp_path.iterdir()] == before
    assert warnings == ["enrichment_cache_unusable"]
    tmp_path.chmod(0o755)


def test_somebody_else_s_database_keeps_its_rows(path: Path, cache: EnrichmentCache) -> None:
    somebody_elses_database(path)

    cache.put("a", "text")
    cache.close()

    assert rows(path, "SELECT name FROM sqlite_schema") == [("recipe",)]
    assert rows(path, "SELECT id FROM recipe") == [(1,)]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_is_of_no_use_goes_with_all_that_belongs_to_it(path: Path, cache: EnrichmentCache, mode: str) -> None:
    of_another_format(path)
    other = apsw.Connection(str(path))
    other.execute(f"PRAGMA journal_mode = {mode}").fetchall()
    other.execute("BEGIN; UPDATE entry SET used = 0").fetchall()
    assert len(list(path.parent.iterdir())) > 1

    assert cache.get("key 1") is None

    assert list(path.parent.iterdir()) == []
    other.close(True)


def test_a_column_of_another_type_is_survived(path: Path, cache: EnrichmentCache) -> None:
    filled(path, 1)
    rows(path, "DROP TABLE entry; CREATE TABLE entry (id INTEGER PRIMARY KEY, key TEXT UNIQUE, packed, used)")
    rows(path, "INSERT INTO entry (key, packed, used) VALUES ('a', 'text', 'now'), ('b', 1, NULL)")

    assert (cache.get("a"), cache.get("b")) == (None, None)


def test_a_file_that_failed_is_left_alone_for_a_while(path: Path, cache: EnrichmentCache) -> None:
    path.mkdir()
    assert cache.get("key 1") is None
    path.rmdir()
    filled(path)

    assert cache.get("key 1") is None
    cache.flush()
    assert cache.get("key 1") == random_text(seed=1)


class TestDeletion:
    @pytest.mark.parametrize("suffixes", [("",), ("", "-wal", "-shm"), ("-wal", "-shm", "")], ids=str)
    def test_deleted_while_open_it_begins_anew(self, cache: EnrichmentCache, path: Path, suffixes: tuple[str, ...]) -> None:
        cache.put("a", "text")
        cache.flush()

        for suffix in suffixes:
            Path(f"{path}{suffix}").unlink(missing_ok=True)

        assert cache.get("a") is None
        cache.put("b", "text")
        cache.close()
        assert (read_back(path, "a"), read_back(path, "b")) == (None, "text")
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]

    def test_a_folder_that_went_is_survived(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        cache = EnrichmentCache(str(folder / "cache.db"))
        cache.put("a", "text")
        cache.flush()

        shutil.rmtree(folder)

        assert cache.get("a") is None
        cache.put("b", "text")
        cache.close()
        assert not folder.exists()


class TestLocks:
    def test_while_another_one_writes_it_reads_on_and_writes_later(self, cache: EnrichmentCache, path: Path) -> None:
        cache.put("a", "text")
        cache.flush()
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")

        cache.put("b", "text")
        cache.flush()
        assert (cache.get("a"), cache.get("b")) == ("text", "text")
        other.close()
        cache.flush()

        assert rows(path, "SELECT count(*) FROM entry") == [(2,)]

    def test_a_file_that_somebody_keeps_locked_is_used_once_it_is_free(
        self, cache: EnrichmentCache, path: Path, warnings: list[str]
    ) -> None:
        filled(path)
        other = apsw.Connection(str(path))
        other.execute("PRAGMA locking_mode = exclusive; PRAGMA journal_mode = delete; BEGIN EXCLUSIVE").fetchall()

        assert cache.get("key 1") is None
        cache.put("a", "text")
        cache.flush()
        other.close()
        cache.flush()

        assert (cache.get("a"), cache.get("key 1")) == ("text", random_text(seed=1))
        assert warnings == ["enrichment_cache_unusable"]

    def test_what_cannot_be_written_does_not_pile_up(self, cache: EnrichmentCache, path: Path) -> None:
        path.mkdir()
        text = random_text(1_000_000)

        for number in range(100):
            cache.put(str(number), text)

        assert cache.get("99") == text
        assert sum(cache.get(str(number)) is not None for number in range(100)) < 30

    def test_of_what_cannot_be_written_only_the_last_text_of_a_key_counts(self, cache: EnrichmentCache, path: Path) -> None:
        path.mkdir()
        cache.put("a", "text")
        text = random_text(1_000_000)

        for _ in range(20):
            cache.put("b", text)

        assert (cache.get("a"), cache.get("b")) == ("text", text)


class TestCompany:
    def test_threads_do_not_lose_each_other_s_texts(self, cache: EnrichmentCache, path: Path) -> None:
        seen: list[str | None] = []

        def work(own: int) -> None:
            for number in range(300):
                cache.put(f"{own} {number}", random_text(200, number))
                if number % 50 == 0:
                    cache.flush()
                seen.append(cache.get(f"{own} {number // 2}"))

        threads = [threading.Thread(target=work, args=(own,)) for own in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert seen.count(None) == 0
        cache.flush()
        assert rows(path, "SELECT count(*) FROM entry") == [(1800,)]

    def test_two_on_one_file_see_each_other_s_texts(self, cache: EnrichmentCache, path: Path) -> None:
        other = EnrichmentCache(str(path))
        for number in range(10):
            for one, another, name in ((cache, other, "one"), (other, cache, "another")):
                one.put(f"{name} {number}", "text")
                one.flush()
                assert another.get(f"{name} {number}") == "text"
        other.close()

    def test_processes_that_begin_at_once_share_one_file(self, path: Path, tmp_path: Path) -> None:
        script = (
            "import sys\n"
            "from retrovue_uow.store.enrichment_cache import EnrichmentCache\n"
            "cache = EnrichmentCache(sys.argv[1])\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "for number in range(200):\n"
            "    cache.put(f'{sys.argv[2]} {number}', 'text')\n"
            "    if number % 20 == 0:\n"
            "        cache.flush()\n"
            "cache.close()\n"
        )
        command = [sys.executable, "-c", script, str(path)]
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

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
    def test_a_forked_child_does_without_and_leaves_the_parent_s_alone(self, path: Path) -> None:
        script = (
            "import gc, os, sys, threading\n"
            "from retrovue_uow.store.enrichment_cache import EnrichmentCache\n"
            "cache = EnrichmentCache(sys.argv[1])\n"
            "cache.put('a', 'text')\n"
            "cache.flush()\n"
            "cache.put('b', 'text')\n"
            "threading.Thread(target=cache._lock.acquire).start()\n"  # another thread is at work
            "while not cache._lock.locked(): pass\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    assert cache.get('a') is None\n"
            "    cache.put('c', 'text')\n"
            "    cache.close()\n"
            "    del cache\n"
            "    gc.collect()\n"
            "    sys.exit(0)\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
            "cache._lock.release()\n"
            "cache.put('d', 'text')\n"
            "cache.close()\n"
        )

        done = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60, check=False)

        assert done.returncode == 0
        assert rows(path, "SELECT key FROM entry ORDER BY key") == [("a",), ("b",), ("d",)]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
    def test_a_fork_in_the_midst_of_a_write_undoes_none_of_it(self, path: Path) -> None:
        script = (
            "import os, sys\n"
            "from retrovue_uow.store.enrichment_cache import EnrichmentCache\n"
            "cache = EnrichmentCache(sys.argv[1])\n"
            "cache.put('a', 'text')\n"
            "cache.flush()\n"
            "def write(connection):\n"
            "    connection.execute('PRAGMA cache_size = 2; BEGIN IMMEDIATE')\n"  # so that pages are on their way to the log
            "    texts = [(str(number), os.urandom(250)) for number in range(200)]\n"
            "    connection.executemany('INSERT INTO entry (key, packed, used) VALUES (?, ?, 0)', texts)\n"
            "    pid = os.fork()\n"
            "    if pid:\n"
            "        assert os.waitpid(pid, 0)[1] == 0\n"
            "        connection.execute('COMMIT')\n"
            "    return pid\n"
            "if cache._file.use(write) == 0:\n"
            "    os._exit(0)\n"  # the child, which has let go of the connection
            "cache.close()\n"
        )

        done = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60, check=False)

        assert done.returncode == 0
        assert rows(path, "SELECT count(*) FROM entry") == [(201,)]
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]

    def test_an_entry_that_cannot_be_unpacked_is_none(self, cache: EnrichmentCache, path: Path) -> None:
        for key in ("a", "b"):
            cache.put(key, "text")
        cache.flush()
        rows(path, "UPDATE entry SET packed = x'00ff' WHERE key = 'a'")

        assert (cache.get("a"), cache.get("b")) == (None, "text")


INTERRUPTED = """
import random, signal, sys, time
import apsw
from retrovue_uow.store.enrichment_cache import EnrichmentCache

left = 0


def interrupt(number, frame):
    global left
    while left and frame is not None and frame.f_code is not interrupted.__code__:
        frame = frame.f_back
    if left and frame is not None:  # it strikes the work, and never what stands around it
        left -= 1
        raise KeyboardInterrupt


def interrupted():
    try:
        work()
    except KeyboardInterrupt:
        while left:
            time.sleep(0)


def work():
    for number in range(10**6):
        cache.put(str(number % 50), "text " * 20)
        cache.flush()
        cache.get("first")


signal.signal(signal.SIGALRM, interrupt)
cache = EnrichmentCache(sys.argv[1])
cache.put("first", "text")
cache.flush()
other = apsw.Connection(sys.argv[1])
interrupts = 0
ends_at = time.monotonic() + 2
while time.monotonic() < ends_at:
    in_a_row = left = random.choice((1, 2))
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00005, 0.002), 0.0002)
        interrupted()
    except KeyboardInterrupt:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    interrupts += 1
    if in_a_row == 1:
        other.execute("BEGIN IMMEDIATE; ROLLBACK")
    assert cache.get("first") == "text"
cache.put("last", "text")
cache.close()
print(interrupts)
"""


def test_ctrl_c_at_any_time_neither_loses_what_was_written_nor_locks_anybody_out(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    assert (read_back(path, "first"), read_back(path, "last")) == ("text", "text")
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
