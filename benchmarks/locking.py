"""How long others are locked out while an ingest looks at its files."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import apsw
import attrs

from benchmarks.measuring import Comparison, Goal, Sizes, timed
from benchmarks.stations import SHOWS, make_files
from retrovue_uow import Catalog

POLL_S = 0.001


@attrs.define
class Held:
    """How long the write lock was seen to be held."""

    seconds: float = 0.0


@contextmanager
def observed(path: str) -> Iterator[Held]:
    """A block during which a process of its own tries BEGIN IMMEDIATE over and over, and does not wait."""
    spawning = multiprocessing.get_context("spawn")
    ready, done = spawning.Event(), spawning.Event()
    receiver, sender = spawning.Pipe(duplex=False)
    observer = spawning.Process(target=_observe, args=(path, ready, done, sender))
    observer.start()
    ready.wait()
    held = Held()
    try:
        yield held
    finally:
        done.set()
        held.seconds = receiver.recv()
        observer.join()


def _observe(path: str, ready: Event, done: Event, sender: Connection) -> None:
    connection = apsw.Connection(path)
    held, before = 0.0, time.monotonic()
    ready.set()
    while not done.is_set():
        is_held = _is_held(connection)
        now = time.monotonic()
        held += now - before if is_held else 0
        before = now
        time.sleep(POLL_S)
    connection.close()
    sender.send(held)


def _is_held(connection: apsw.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except apsw.BusyError:
        return True
    connection.execute("ROLLBACK")
    return False


def lock(sizes: Sizes) -> list[Comparison]:
    """The write lock, as another process sees it, during an ingest that probes its files with ffprobe."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        make_files(folder, sizes.probe)
        _fill(folder)
        path = str(Path(home, "catalog.db"))
        with Catalog(path) as catalog:
            catalog.add_source("disk")
            catalog.add_collection("disk", SHOWS, path_mappings={folder: folder})
            catalog.attach_enricher(SHOWS, "filename")
            catalog.attach_enricher(SHOWS, "ffprobe")
            with observed(path) as held:
                total = timed(lambda: catalog.ingest_collection(SHOWS))
            probed = len(catalog.assets(SHOWS, state="ready"))
    if probed != sizes.probe:
        raise AssertionError(f"{probed} of {sizes.probe} files were probed")
    return [
        Comparison(
            f"write lock held while {sizes.probe:,} files are probed with ffprobe",
            "total time of the ingest",
            Goal("part", 2),
            [held.seconds],
            [total.clock],
            note=f"seen by a process that tries BEGIN IMMEDIATE every {POLL_S * 1000:.0f} ms",
        )
    ]


def _fill(folder: str) -> None:
    """Let every file be a very short video."""
    files = [path for path in Path(folder).rglob("*.mkv") if path.is_file()]
    first, *others = files
    command = ["ffmpeg", "-y", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", str(first)]
    subprocess.run(command, check=True)  # noqa: S603  ffmpeg is found on PATH, as users have it
    for path in others:
        shutil.copyfile(first, path)
