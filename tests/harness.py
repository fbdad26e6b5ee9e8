"""What the tests share: drafts, an importer and an enricher of their own, and a dump of a catalogue."""

from __future__ import annotations

import inspect
import os
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw
import attrs

from retrovue_uow import AssetDraft, Catalog, Collection, Database, FoundCollection, IngestFilters, PathMapping
from retrovue_uow.model import Json
from retrovue_uow.uow.changes import Changeset, Recording
from retrovue_uow.uow.tables import quoted, read_shape

Dump = dict[str, list[tuple[Any, ...]]]
JOURNAL = ("unit_of_work", "operation")


def dump(catalog: Catalog | str | Path, *, journal: bool = True) -> Dump:
    """Every row of every table, read through a connection of its own."""
    path = catalog.database.path if isinstance(catalog, Catalog) else str(catalog)
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name"
        ).fetchall()
        wanted = [str(name) for (name,) in tables if journal or name not in JOURNAL]
        return {name: connection.execute(f"SELECT * FROM {quoted(name)} ORDER BY 1").fetchall() for name in wanted}  # noqa: S608
    finally:
        connection.close()


def changed(db: Database, *statements: str) -> Changeset:
    """What the statements change within the open unit."""
    recording = Recording(db, read_shape(db))
    for statement in statements:
        db.execute(statement)
    changeset = recording.changeset()
    recording.close()
    return changeset


def draft(path: str, **facts: Any) -> AssetDraft:
    """A draft of a file below `/media`, with a size, an mtime of its own and no sidecars unless the test says otherwise."""
    fields: dict[str, Any] = {"size": 1000, "mtime_ns": zlib.crc32(os.fsencode(path)), "sidecars": (), **facts}
    return AssetDraft(f"/media/{path}", f"/media/{path}", **fields)


def episode(show: str, season: int, number: int, **facts: Any) -> AssetDraft:
    """A draft of an episode that is already identified."""
    fields: dict[str, Any] = {"kind": "episode", "title": show, "season_number": season, "episode_numbers": (number,), **facts}
    return draft(f"{show}/S{season:02}E{number:02}.mkv", **fields)


def movie(name: str, year: int | None = None, **facts: Any) -> AssetDraft:
    """A draft of a movie that is already identified."""
    fields: dict[str, Any] = {"kind": "movie", "title": name, "year": year, **facts}
    return draft(f"{name} ({year}).mkv", **fields)


def mounted(found: AssetDraft, local_path: str) -> AssetDraft:
    """The draft with its file below `local_path` instead of `/media`."""
    if not isinstance(found.file_path, str) or not found.file_path.startswith("/media/"):
        return found
    return attrs.evolve(found, file_path=local_path + found.file_path.removeprefix("/media"))


def ends(pid: int) -> bool:
    """Whether the process is gone or a zombie that only its new parent has yet to collect."""
    for _ in range(100):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def operations_of_catalog() -> dict[str, Callable[..., Any]]:
    """Every public operation by its name on `Catalog`: what a module of `retrovue_uow.operations` has put there."""
    return {
        name: member
        for name, member in vars(Catalog).items()
        if inspect.isfunction(member) and member.__module__.startswith("retrovue_uow.operations.")
    }


@attrs.define
class FakeImporter:
    """An importer of whatever drafts a test puts into it, below its first mapping. Serves as its own factory."""

    drafts: Iterable[Any] = ()
    found: Sequence[FoundCollection] = ()
    unreachable: Exception | None = None

    def __call__(self, config: Json) -> FakeImporter:
        return self

    def check(self) -> None:
        if self.unreachable is not None:
            raise self.unreachable

    def collections(self) -> Sequence[FoundCollection]:
        return self.found

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterable[AssetDraft]:
        for found in self.drafts:
            yield mounted(found, mappings[0].local_path) if isinstance(found, AssetDraft) else found


@attrs.define
class FakeEnricher:
    """An enricher that does what a test says; by default it measures a duration. Serves as its own factory."""

    enriching: Callable[[AssetDraft], Any] = lambda draft: attrs.evolve(draft, duration_ms=60_000)
    unavailable: Exception | None = None
    version: str = "1"
    cached_by: str | None = None
    timeout_s: float = 60
    seen: list[str] = attrs.field(factory=list)

    def __call__(self, config: Json) -> FakeEnricher:
        return self

    def check(self) -> None:
        if self.unavailable is not None:
            raise self.unavailable

    def enrich(self, draft: AssetDraft) -> AssetDraft:
        self.seen.append(draft.source_path)
        enriched: AssetDraft = self.enriching(draft)
        return enriched
