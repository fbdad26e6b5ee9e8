"""Absence and trouble at a mapped root are told apart, and links that lead out of it are found."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrovue_uow.errors import ValidationError
from retrovue_uow.media.roots import Links, RootState, root_status


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (["x.mkv"], RootState.HAS_ENTRIES),
        ([], RootState.EMPTY),
        ([".hidden"], RootState.EMPTY),
        (["lost+found", ".Trash-0"], RootState.EMPTY),
    ],
)
def test_only_visible_entries_are_evidence(tmp_path: Path, content: list[str], state: RootState) -> None:
    for name in content:
        (tmp_path / name).mkdir()

    status = root_status(str(tmp_path))

    assert (status.state, status.path, status.error, status.problem) == (state, str(tmp_path), None, None)


def _missing(tmp_path: Path) -> Path:
    return tmp_path / "gone"


def _broken_link(tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    return tmp_path / "link"


def _file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def _looping_link(tmp_path: Path) -> Path:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return tmp_path / "loop"


def _too_long(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 300)


@pytest.mark.parametrize(
    ("root", "state", "number", "complaint"),
    [
        (_missing, RootState.MISSING, errno.ENOENT, "is missing"),
        (_broken_link, RootState.MISSING, errno.ENOENT, "is missing"),
        (_file, RootState.NOT_A_DIRECTORY, errno.ENOTDIR, "is not a folder"),
        (_looping_link, RootState.UNREADABLE, errno.ELOOP, "cannot be read"),
        (_too_long, RootState.UNREADABLE, errno.ENAMETOOLONG, "cannot be read"),
    ],
)
def test_gone_and_unreadable_roots_are_told_apart(
    tmp_path: Path, root: Callable[[Path], Path], state: RootState, number: int, complaint: str
) -> None:
    status = root_status(str(root(tmp_path)))

    assert status.state is state
    assert status.error is not None
    assert status.error.errno == number
    assert status.problem is not None
    assert complaint in status.problem


def test_a_root_that_hangs_gives_no_answer_in_time(
    tmp_path: Path, release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", lambda path: release.wait())

    status = root_status(str(tmp_path), timeout_s=0.05)

    assert status.state is RootState.NO_ANSWER
    assert isinstance(status.error, TimeoutError)
    assert status.problem is not None


def test_a_time_out_reported_by_the_disk_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed_out(path: str) -> Iterator[os.DirEntry[str]]:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out", path)

    monkeypatch.setattr(os, "scandir", timed_out)

    assert root_status(str(tmp_path)).state is RootState.UNREADABLE


def test_a_root_that_no_folder_can_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        root_status("/mnt/\0")


def escapes(path: str, root: str) -> bool:
    return Links().lead_out(path, root)


def test_links_and_parent_segments_escape(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (root / "link_in").symlink_to(root / "in")
    (root / "link_out").symlink_to(tmp_path / "out")
    (tmp_path / "root_link").symlink_to(root)

    assert not escapes(str(root / "in" / "x"), str(root))
    assert not escapes(str(root / "link_in" / "x"), str(root))
    assert not escapes(str(tmp_path / "root_link" / "x"), str(root))
    assert not escapes(str(root / "x"), str(tmp_path / "root_link"))
    assert escapes(str(root / "link_out" / "x"), str(root))
    assert escapes(f"{root}/../out/x", str(root))
