"""Fresh copies of a catalogue, opened as the original was, for actions to be tried on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import attrs

from retrovue_uow import Asset, Catalog, Extension
from retrovue_uow.media.interfaces import EnricherFactory, ImporterFactory

Action = Callable[[Catalog], object]
Subject = Catalog | Callable[[Path], Catalog]
NAME = "catalog.db"
MEMORY = "/dev/shm"  # noqa: S108  each sandbox has a folder of its own in it
ROOM = 2**28
"""Bytes that must be free there."""


@attrs.frozen
class Sandbox:
    """A catalogue to make copies of, and with what they are opened."""

    folder: Path
    importers: Mapping[str, ImporterFactory]
    enrichers: Mapping[str, EnricherFactory]
    extensions: tuple[Extension, ...]
    protections: tuple[Callable[[Asset], bool], ...]

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The path of a fresh copy, in a folder of its own that is gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            shutil.copyfile(self.folder / NAME, folder / NAME)
            yield str(folder / NAME)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, path: str) -> Catalog:
        """A copy, opened with the sandbox's importers, enrichers and extensions."""
        # An action that another one of its own connections locks out must not take for ever: hence the short waits.
        return Catalog(
            path,
            busy_timeout_ms=2000,
            write_wait_s=5,
            importers=self.importers,
            enrichers=self.enrichers,
            extensions=self.extensions,
            production=bool(self.protections),
            protects=lambda asset: any(protects(asset) for protects in self.protections),
        )


@contextmanager
def sandbox_of(subject: Subject, processes: int = 1) -> Iterator[Sandbox]:
    """A sandbox with a copy of the given catalogue, or of the one that a factory makes at the path that it is given."""
    room = ROOM
    if isinstance(subject, Catalog) and os.path.exists(subject.database.path):  # for each, two copies and their logs
        room = max(ROOM, 6 * processes * os.path.getsize(subject.database.path))
    with tempfile.TemporaryDirectory(prefix="retrovue-proof-", dir=in_memory(room)) as name:
        folder = Path(name)
        (folder / "made").mkdir()
        with nullcontext(subject) if isinstance(subject, Catalog) else subject(folder / "made" / NAME) as catalog:
            catalog.backup(folder / NAME)
            sandbox = Sandbox(folder, catalog.importers, catalog.enrichers, catalog.given_extensions, catalog.protections)
        yield sandbox


def in_memory(room: int = ROOM) -> str | None:
    """A folder that lies in memory, where the system has one with so many bytes free: nobody waits for a disk there."""
    try:
        is_roomy = shutil.disk_usage(MEMORY).free >= room
    except OSError:
        return None
    return MEMORY if is_roomy and os.access(MEMORY, os.W_OK | os.X_OK) else None


def is_side_file(path: str) -> bool:
    """Whether `path`, relative to the copy's folder, is one that a catalogue keeps beside itself."""
    suffixes = ("", "-wal", "-shm", "-next", "-turn", ".claims", ".cache.db", ".cache.db-wal", ".cache.db-shm")
    is_claim = path.startswith(f"{NAME}.claims/") and path.endswith((".db", ".db-journal"))
    return is_claim or path in {NAME + suffix for suffix in suffixes}
