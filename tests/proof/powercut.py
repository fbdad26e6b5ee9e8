"""A disk whose power fails: what SQLite asks of it is recorded, so that the power can be cut after any of its acts.

What was not synced by then is kept, lost or torn, each file by itself and sector by sector; likewise names that appeared or
went in a folder that was not synced (https://www.sqlite.org/atomiccommit.html, section 2).
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import apsw
import attrs

SECTOR = 512
_NUMBERS = itertools.count()
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_REAL = "unix"

Act = Literal["create", "write", "truncate", "sync", "delete", "promise"]


@attrs.frozen
class Event:
    """Something that was asked of the disk, or (`promise`) something that somebody was told.

    Attributes:
        number: Where a write begins, the size that a truncated file has, or how many operations have returned.
        syncs_folder: Whether the names in the file's folder are on the disk afterwards.
    """

    act: Act
    path: str = ""
    number: int = 0
    content: bytes = b""
    syncs_folder: bool = False


class RecordingDisk(apsw.VFS):
    """The default VFS of this process while it is open; records what happens to the files below a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "")
        self.events: list[Event] = []
        super().__init__(f"recording-{next(_NUMBERS)}", _REAL, makedefault=True)

    def __enter__(self) -> RecordingDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.unregister()

    def promise(self, number: int) -> None:
        """Note that so many operations have returned."""
        self.events.append(Event("promise", number=number))

    def record(self, act: Act, path: str, number: int = 0, content: bytes = b"", *, syncs_folder: bool = False) -> None:
        """Note an act, if it is about one of our files."""
        if path.startswith(self.folder):
            self.events.append(Event(act, path.removeprefix(self.folder), number, content, syncs_folder))

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        is_new = path is not None and not os.path.exists(path)
        file = RecordingFile(self, name, flags)
        if path is not None:
            file.watch(path, is_new=is_new, is_journal=bool(flags[0] & _JOURNALS))
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.record("delete", filename, syncs_folder=syncdir)


class RecordingFile(apsw.VFSFile):
    """A file of a recording disk. Its syncs are recorded and not made, which saves time."""

    def __init__(self, disk: RecordingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(_REAL, name, flags)
        self._disk = disk
        self._path = ""
        self._owes_folder_sync = False

    def watch(self, path: str, *, is_new: bool, is_journal: bool) -> None:
        """Record what happens from now on; SQLite syncs the folder of a new journal with its first sync, of no other file."""
        self._path = path
        self._owes_folder_sync = is_new and is_journal
        if is_new:
            self._disk.record("create", path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._disk.record("write", self._path, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._disk.record("truncate", self._path, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.record("sync", self._path, syncs_folder=self._owes_folder_sync)
        self._owes_folder_sync = False


@attrs.define(eq=False)
class _File:
    """What is on the disk for certain, and what was asked of it since."""

    synced: bytearray = attrs.field(factory=bytearray)
    pending: list[Event] = attrs.field(factory=list)

    def sync(self) -> None:
        for event in self.pending:
            _do(self.synced, event)
        self.pending.clear()

    def survivor(self, chance: random.Random) -> bytes:
        """What a power cut may leave of it."""
        content = bytearray(self.synced)
        fate = chance.choice(("kept", "lost", "cut off", "torn", "torn"))
        until = {"kept": len(self.pending), "lost": 0}.get(fate, chance.randint(0, len(self.pending)))
        for position, event in enumerate(self.pending):
            if fate == "torn":
                _tear(content, event, chance)
            elif position < until:
                _do(content, event)
            elif fate == "cut off" and position == until:
                _tear(content, event, chance)
        return bytes(content)


def _do(content: bytearray, event: Event) -> None:
    if event.act == "truncate":
        del content[event.number :]
        content.extend(bytes(event.number - len(content)))
    else:
        content.extend(bytes(max(event.number - len(content), 0)))
        content[event.number : event.number + len(event.content)] = event.content


def _tear(content: bytearray, event: Event, chance: random.Random) -> None:
    """Each sector of a write arrives, does not, or holds nonsense; what lies beside it is as it was."""
    if event.act == "truncate":
        if chance.random() < 0.5:
            _do(content, event)
        return
    for start, stop in _sectors(event.number, event.number + len(event.content)):
        piece = event.content[start - event.number : stop - event.number]
        fate = chance.random()
        if fate < 0.1 and start > 0:  # a header that is nonsense has a test of its own
            piece = chance.randbytes(len(piece))
        if fate < 0.6:
            _do(content, Event("write", event.path, start, piece))


def _sectors(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, stop
        start = stop


class Replay:
    """The disk as it was after so many of the recorded events."""

    def __init__(self) -> None:
        self.promised: int | None = None
        self._named: dict[str, _File] = {}
        self._named_for_certain: dict[str, _File] = {}
        self._renaming: list[tuple[str, _File | None]] = []

    def go_on(self, event: Event) -> None:
        """Let one more event happen."""
        if event.act == "promise":
            self.promised = event.number
        elif event.act == "create":
            self._named[event.path] = _File()
            self._renaming.append((event.path, self._named[event.path]))
        elif event.act == "delete":
            self._named.pop(event.path, None)
            self._renaming.append((event.path, None))
        elif event.act == "sync":
            self._named[event.path].sync()
        else:
            self._named[event.path].pending.append(event)
        if event.syncs_folder:
            self._sync_folder(os.path.dirname(event.path))

    def _sync_folder(self, folder: str) -> None:
        for path, file in self._renaming:
            if os.path.dirname(path) == folder:
                _name(self._named_for_certain, path, file)
        self._renaming = [each for each in self._renaming if os.path.dirname(each[0]) != folder]

    def cut(self, chance: random.Random, folder: Path) -> None:
        """Put what a power cut leaves into an empty folder."""
        named = dict(self._named_for_certain)
        for path, file in self._renaming:
            if chance.random() < 0.5:
                _name(named, path, file)
        for path, file in named.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.survivor(chance))


def _name(names: dict[str, _File], path: str, file: _File | None) -> None:
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file
