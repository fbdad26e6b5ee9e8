"""Drafts, changesets and other things that many tests need."""

from __future__ import annotations

import inspect
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

from retrovue_uow import AssetDraft, Catalog, Database
from retrovue_uow.uow.changes import Changeset, Recording

T = TypeVar("T")


def changed(db: Database, *statements: str) -> Changeset:
    """What the statements change within the open unit."""
    recording = Recording(db, db.shape)
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


def entry(table: Mapping[str, T], name: str, what_to_do: str) -> T:
    """The table's entry of that name; without one, the test fails with a sentence that says what to do."""
    if name not in table:
        pytest.fail(f"there is no entry for {name!r}: {what_to_do}", pytrace=False)
    return table[name]


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
