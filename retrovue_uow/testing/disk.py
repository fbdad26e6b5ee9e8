"""A disk that fails when told to: SQLite's own files, written through a VFS in Python.

It is made the default while a copy is worked on, so that the side files (claims, the cache) are on it too, and the library
needs no door for it. What is not below the watched folder passes through, but for SQLite's temporary files, which have no name:
those of a large unit's savepoints and sorts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import apsw

from retrovue_uow.testing.faults import Injection

NAME = "retrovue-proof"
IO_ERROR, DISK_FULL = "I/O error", "disk full"
ONCE, FROM_THEN_ON = "once", "from then on"
NEEDS_ROOM = ("write", "sync")
_TEMPORARY = "temporary file"


class _Quiet:
    """SQLite is told of what a VFS raises, by its code: nobody else needs to be."""

    def excepthook(
        self, etype: type[BaseException] | None, evalue: BaseException | None, etraceback: TracebackType | None
    ) -> bool:
        """Take note of nothing."""
        return True


class _File(_Quiet, apsw.VFSFile):
    """A file of the real VFS that asks before it changes anything."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__(disk.base, name, flags)
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name or _TEMPORARY

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        """Write, unless the disk fails."""
        self._disk.pass_by("write", self._path)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802  likewise
        """Say that all is on the platters; no test cuts the power."""
        self._disk.pass_by("sync", self._path)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  likewise
        """Truncate, unless the disk fails."""
        self._disk.pass_by("truncate", self._path)
        super().xTruncate(newsize)


class Disk(_Quiet, apsw.VFS):
    """The real VFS, whose files are those above."""

    def __init__(self) -> None:
        self.base = apsw.vfs_names()[0]
        super().__init__(NAME, self.base, makedefault=True)
        self._folder = ""
        self._injection: Injection | None = None

    @contextmanager
    def watched(self, folder: str, injection: Injection) -> Iterator[None]:
        """Within the block, changing a file below `folder` is a point of the injection."""
        self._folder, self._injection = folder, injection
        try:
            yield
        finally:
            self._injection = None

    def pass_by(self, act: str, path: str) -> None:
        """Let SQLite do something to a file, or raise."""
        injection = self._injection
        if injection is None or (path != _TEMPORARY and not path.startswith(self._folder)):
            return
        is_full = injection.variety.startswith(DISK_FULL)
        lasts = injection.has_struck and injection.variety.endswith(FROM_THEN_ON) and (not is_full or act in NEEDS_ROOM)
        if injection.is_at(f"{act} of {Path(path).name}") or lasts:
            raise apsw.FullError("the disk is full") if is_full else apsw.IOError("the disk failed")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  likewise
        """Open a file, unless it is a temporary one and the disk fails."""
        if name is None:
            self.pass_by("open", _TEMPORARY)
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  likewise
        """Delete a file, unless the disk fails."""
        self.pass_by("delete", filename)
        super().xDelete(filename, syncdir)


_kept: list[Disk] = []
"""SQLite goes on pointing at a disk as long as a file on it is open, and a faulty action may leave one open."""


@contextmanager
def failing_disk() -> Iterator[Disk]:
    """What is opened within the block lies on the disk."""
    disk = Disk()
    _kept.append(disk)
    try:
        yield disk
    finally:
        disk.unregister()
