"""Processes that are forked while a catalogue is open: what is reported as committed is in the file, and no child harms it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrovue_uow import Catalog
from retrovue_uow.testing import snapshot

LONGEST_S = 60
COMMON = '''
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from retrovue_uow import Catalog, ContractError, ResourceError, RetroVueError

path = sys.argv[1]


def add(name):
    """One unit in a catalogue of the process's own; the name once it is committed."""
    with Catalog(path) as own:
        own.add_source(name)
    return name


def add_many(prefix, count=10):
    with Catalog(path) as own:
        for number in range(count):
            own.add_source(f"{prefix}{number}")
            time.sleep(0.005)
    return [f"{prefix}{number}" for number in range(count)]


def in_child(act):
    """Run `act` in a forked child, and give back what it prints and how it ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
            sys.stdout.flush()
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def wait_for(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def told(names):
    print("committed", *names, flush=True)
'''

POOL = """
def main():
    method = sys.argv[2]
    catalog = Catalog(path)
    catalog.add_source("parent")
    context = multiprocessing.get_context(method)
    with context.Pool(4) as pool:
        left = pool.map_async(add_many, [f"{letter}-" for letter in "abcdefgh"])
        time.sleep(0.05)
        catalog.close()
        told(name for names in left.get(50) for name in names)
    told([add("after"), "parent"])


if __name__ == "__main__":
    main()
"""

PARENT_CLOSES_FIRST = """
catalog = Catalog(path)
catalog.add_source("parent")
children = [in_child(lambda n=n: told(add_many(f"{n}-"))) for n in range(4)]
time.sleep(0.02)
catalog.close()
told(["parent"])
assert [wait_for(child) for child in children] == [0] * 4
"""

CHILD_CLOSES_FIRST = """
with Catalog(path) as catalog:
    catalog.add_source("parent")
    assert wait_for(in_child(lambda: told(add_many("child-")))) == 0
    catalog.add_source("later")
    told(["parent", "later", add("same process")])
"""

GRANDCHILDREN = """
def be_parent():
    told(add_many("child-", 3))
    with Catalog(path) as own:
        own.add_source("open in child")
        grandchild = in_child(lambda: told(add_many("grandchild-")))
        own.add_source("meanwhile")
    told(["open in child", "meanwhile"])
    assert wait_for(grandchild) == 0


with Catalog(path) as catalog:
    catalog.add_source("parent")
    child = in_child(be_parent)
    catalog.add_source("beside")
    told(["parent", "beside"])
assert wait_for(child) == 0
"""

UNIT_IN_ANOTHER_THREAD = """
def refused():
    try:
        Catalog(path)
    except ResourceError as error:
        assert "was in use in the parent process when this one was forked" in str(error), error
    else:
        os._exit(2)
    grandchild = in_child(lambda: add("grandchild"))
    assert wait_for(grandchild) == 1


def hold():
    with Catalog(path) as own:
        with own.session():
            own.add_source("held")
            is_open.set()
            may_end.wait(30)


is_open, may_end = threading.Event(), threading.Event()
holder = threading.Thread(target=hold)
holder.start()
is_open.wait(30)
child = in_child(refused)
assert wait_for(child) == 0
may_end.set()
holder.join()
told(["held", add("afterwards")])
"""

READING_THREAD = """
def read():
    with Catalog(path) as own:
        while not may_end.is_set():
            seen.append(len(own.sources()))


seen, may_end = [], threading.Event()
reader = threading.Thread(target=read)
reader.start()
while not seen:
    time.sleep(0.001)
for number in range(20):
    child = in_child(lambda: add(f"child{number}"))
    if wait_for(child) == 0:
        told([f"child{number}"])
may_end.set()
reader.join()
told([add("afterwards")])
"""

OF_THE_PARENT = """
with Catalog(path) as catalog:
    catalog.add_source("parent")

    def refused():
        try:
            catalog.add_source("by the child")
        except ContractError as error:
            assert "before a fork" in str(error), error
        else:
            os._exit(2)

    assert wait_for(in_child(refused)) == 0
told(["parent"])
"""

REPLACED = """
with Catalog(path) as catalog:
    catalog.add_source("parent")
    assert wait_for(in_child(lambda: None)) == 0
    catalog.backup(path + ".new")
    assert wait_for(in_child(lambda: None)) == 0
    os.replace(path + ".new", path)
    try:
        catalog.sources()
    except ResourceError as error:
        assert "deleted or replaced" in str(error), error
    else:
        sys.exit("the other file was read")
told(["parent"])
"""

SCENARIOS = {
    "the parent closes first": PARENT_CLOSES_FIRST,
    "the child closes first": CHILD_CLOSES_FIRST,
    "grandchildren": GRANDCHILDREN,
    "a unit is open in another thread": UNIT_IN_ANOTHER_THREAD,
    "another thread reads": READING_THREAD,
    "the parent's own catalogue": OF_THE_PARENT,
    "the file is replaced after the fork": REPLACED,
}


def run(tmp_path: Path, script: str, *arguments: str) -> None:
    """Run the script, and hold what it says that it committed against the file."""
    path = tmp_path / "catalog.db"
    program = tmp_path / "program.py"
    program.write_text(COMMON + script)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program), str(path), *arguments],
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = [line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if line.startswith("committed ")]
    committed = [name for line in lines for name in line.split()]
    assert committed
    names = {str(name) for _, name, *_ in snapshot(path)["source"]}
    assert set(committed) <= {word for name in names for word in name.split()}
    with Catalog(path) as catalog:
        assert catalog.check().violations == ()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_committed_unit_is_lost_by_a_fork_where(tmp_path: Path, scenario: str) -> None:
    run(tmp_path, SCENARIOS[scenario])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_no_committed_unit_is_lost_in_a_pool_of_processes_that_the_parent_outruns(tmp_path: Path, method: str) -> None:
    run(tmp_path, POOL, method)
