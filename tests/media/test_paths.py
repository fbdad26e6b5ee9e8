"""One spelling per path, whole segments, and verdicts on mapped roots that keep absence and trouble apart."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow.errors import ValidationError
from retrovue_uow.media.paths import (
    RootState,
    canonical_key,
    escapes,
    excluded,
    is_below,
    judge_root,
    key_below,
    local_path_for,
    mapping_for,
)
from retrovue_uow.media.time_limit import call_within
from retrovue_uow.model import PathMapping

PIECES = (
    *("/", "//", "\\", ".", "..", "a", "é", "e\u0301", "\u212a", "\u0338", " ", "x"),
    *("C:", "file:", "localhost", "smb://", "plex:", "%2F", "%20", "%C3%A9", "%FF", "%00"),
)
NAME_PIECES = ("a", "\u00e9", "e\u0301", "\u0338", "\u0301", "=", "\\", " ", "C:", "file:", "%2F", "x.mkv")
spelled = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("source_path", "key"),
    [
        ("/mnt/Media", "/mnt/Media"),
        ("/mnt//Media/./Show/", "/mnt/Media/Show"),
        ("///mnt/Media", "/mnt/Media"),
        ("/", "/"),
        ("/mnt/back\\slash", "/mnt/back\\slash"),
        ("/mnt/Cafe\u0301", "/mnt/Café"),
        ("/mnt/ space ", "/mnt/ space "),
        ("/C:/x", "/C:/x"),
        ("C:\\Media\\Show", "C:/Media/Show"),
        ("c:/Media\\Show\\", "c:/Media/Show"),
        ("C:", "C:/"),
        ("C:\\", "C:/"),
        ("\\\\NAS\\tv\\Show", "//NAS/tv/Show"),
        ("//NAS/tv//Show", "//NAS/tv/Show"),
        ("file:/mnt/x", "/mnt/x"),
        ("file:///mnt/x%20y%25", "/mnt/x y%"),
        ("FILE://localhost/mnt/x", "/mnt/x"),
        ("file:////mnt/x", "/mnt/x"),
        ("file://nas/tv/x", "//nas/tv/x"),
        ("file:///C:/Media/x", "C:/Media/x"),
        ("file:///a:b/x", "/a:b/x"),
        ("/mnt/100%25", "/mnt/100%25"),
        ("smb://NAS/tv/Show/", "smb://NAS/tv/Show"),
        ("plex://library?path=//x", "plex://library?path=//x"),
    ],
)
def test_every_path_has_one_spelling(source_path: str, key: str) -> None:
    assert canonical_key(source_path) == key


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(spelled)
def test_a_canonical_key_is_its_own_canonical_key(figures: Proof, source_path: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    try:
        key = canonical_key(source_path)
    except ValidationError:
        return

    assert canonical_key(key) == key


@given(spelled, st.lists(st.sampled_from(NAME_PIECES), min_size=1, max_size=3).map("".join))
def test_a_key_below_a_folder_is_the_key_of_the_whole_path(folder: str, name: str) -> None:
    try:
        folder_key = canonical_key(folder)
    except ValidationError:
        return
    folder_key = folder_key if folder_key.endswith("/") else f"{folder_key}/"

    assert key_below(folder_key, name) == canonical_key(f"{folder_key}{name}")


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(st.text())
def test_any_text_has_a_key_or_a_validation_error(figures: Proof, text: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    for path in (text, f"/{text}", f"file:///{text}", f"\\\\nas\\{text}"):
        try:
            assert canonical_key(canonical_key(path)) == canonical_key(path)
        except ValidationError as error:
            str(error).encode()


@pytest.mark.parametrize(
    ("source_path", "complaint"),
    [
        ("", "empty"),
        ("mnt/x", "relative"),
        ("C:x", "relative"),
        ("file:x", "relative"),
        ("file://", "relative"),
        ("a:b\\c", "relative"),
        ("/mnt/../etc", r"'\.\.'"),
        ("C:\\x\\..\\y", r"'\.\.'"),
        ("file:///mnt/%2E%2E/etc", r"'\.\.'"),
        ("file://a%2F..%2Fb/x", r"'\.\.'"),
        ("smb://nas/../x", r"'\.\.'"),
        ("/mnt/\0x", "NUL"),
        ("file:///mnt/%00", "NUL"),
        ("/mnt/\udcff", r"\\udcff.*not UTF-8"),
        ("/mnt/\ud800", r"\\ud800.*not UTF-8"),
        ("file:///mnt/%FF", "not UTF-8"),
    ],
)
def test_what_is_no_path_is_refused_by_name(source_path: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        canonical_key(source_path)

    str(caught.value).encode()


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/mnt/tv/x", "/mnt/tv", True),
        ("/mnt/tv", "/mnt/tv", True),
        ("/mnt/tv/x", "/mnt/tv/", True),
        ("/mnt/tv2/x", "/mnt/tv", False),
        ("/mnt", "/mnt/tv", False),
        ("/mnt/tv", "/", True),
        ("/", "/", True),
        ("//nas/tv", "/", False),
        ("//nas/tv/x", "//nas/tv", True),
        ("smb://nas/tv", "smb://", True),
        ("C:/x", "C:/", True),
    ],
)
def test_below_goes_by_whole_segments(path: str, root: str, below: bool) -> None:
    assert is_below(path, root) is below


def by_source(*source_paths: str) -> dict[str, PathMapping]:
    return {path: PathMapping(number, path, f"/{number}") for number, path in enumerate(source_paths)}


def test_the_longest_mapping_wins() -> None:
    mappings = by_source("/data", "/data/tv", "/data/tv/Sho", "/data/x")

    assert mapping_for("/data/tv/Show/x.mkv", mappings) == mappings["/data/tv"]
    assert mapping_for("/data/x.mkv", mappings) == mappings["/data"]
    assert mapping_for("/data/tv", mappings) == mappings["/data/tv"]
    assert mapping_for("/elsewhere/x.mkv", mappings) is None
    assert mapping_for("/data/x", {}) is None


@given(st.lists(spelled, min_size=1, max_size=6))
def test_the_mapping_of_a_path_is_the_longest_that_it_is_below(paths: list[str]) -> None:
    keys = []
    for path in paths:
        with suppress(ValidationError):
            keys.append(canonical_key(path))
    for key in keys:
        mappings = by_source(*(each for each in keys if each != key))
        above = [folder for folder in mappings if is_below(key, folder)]

        assert mapping_for(key, mappings) == mappings.get(max(above, key=len, default=""))


@pytest.mark.parametrize(
    ("path", "source_root", "local_path"),
    [
        ("/data/tv/a/x.mkv", "/data/tv/", "/mnt/a/x.mkv"),
        ("/data/tv", "/data/tv", "/mnt"),
        ("/tv/x.mkv", "/", "/mnt/tv/x.mkv"),
        ("D:\\tv\\a\\x.mkv", "D:/tv", "/mnt/a/x.mkv"),
        ("file:///data/tv/x%20y.mkv", "/data/tv", "/mnt/x y.mkv"),
        ("smb://nas/tv/x.mkv", "smb://nas", "/mnt/tv/x.mkv"),
        ("/data/Cafe\u0301/e\u0301.mkv", "/data/Café", "/mnt/e\u0301.mkv"),
    ],
)
def test_local_path_keeps_the_names_as_they_are_spelled(path: str, source_root: str, local_path: str) -> None:
    assert local_path_for(path, PathMapping(1, source_root, "/mnt")) == local_path


def test_no_local_path_outside_the_mapping() -> None:
    with pytest.raises(ValidationError, match="'/data/tv2/x' is not below"):
        local_path_for("/data/tv2/x", PathMapping(1, "/data/tv", "/mnt"))


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


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.iso", {"a.ISO", "Show/b.iso"}),
        ("extras", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("Extras/", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("/extras", set()),
        ("Show/Extras", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("*/c.mkv", set()),
        ("Show/*.iso", {"Show/b.iso"}),
        ("**/c.mkv", {"Show/Extras/c.mkv"}),
        ("Show/**/d.mkv", {"Show/Extras/Deep/d.mkv"}),
        ("**/**/Deep/**", {"Show/Extras/Deep/d.mkv"}),
        ("Show/**", {"Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("**", {"a.ISO", "Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv", "café.mkv"}),
        ("Show/b.iso/**", set()),
        ("?.iso", {"a.ISO", "Show/b.iso"}),
        ("[a].iso", {"a.ISO"}),
        ("CAFE\u0301.mkv", {"café.mkv"}),
    ],
)
def test_exclude_patterns(pattern: str, left_out: set[str]) -> None:
    files = ["a.ISO", "Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv", "café.mkv"]

    assert {path for path in files if excluded(path, ["never", pattern])} == left_out


@pytest.mark.parametrize("pattern", ["", "/", "./"])
def test_an_empty_exclude_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="is empty"):
        excluded("a", [pattern])


def test_an_exclude_pattern_full_of_stars_takes_no_time() -> None:
    started = time.monotonic()
    excluded("/".join("a" * 30), ["**/a/" * 4 + "b"])

    assert time.monotonic() - started < 2


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

    verdict = judge_root(str(tmp_path))

    assert (verdict.state, verdict.path, verdict.error, verdict.problem) == (state, str(tmp_path), None, None)


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
    verdict = judge_root(str(root(tmp_path)))

    assert verdict.state is state
    assert verdict.error is not None
    assert verdict.error.errno == number
    assert verdict.problem is not None
    assert complaint in verdict.problem


def test_a_root_that_hangs_gives_no_answer_in_time(
    tmp_path: Path, release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", lambda path: release.wait())

    verdict = judge_root(str(tmp_path), timeout_s=0.05)

    assert verdict.state is RootState.NO_ANSWER
    assert isinstance(verdict.error, TimeoutError)
    assert verdict.problem is not None


def test_a_time_out_reported_by_the_disk_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed_out(path: str) -> Iterator[os.DirEntry[str]]:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out", path)

    monkeypatch.setattr(os, "scandir", timed_out)

    assert judge_root(str(tmp_path)).state is RootState.UNREADABLE


def test_a_root_that_no_folder_can_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        judge_root("/mnt/\0")


def test_a_call_in_time_returns_or_raises_what_the_function_does() -> None:
    error = SystemExit("its own")

    def failing() -> None:
        raise error

    assert call_within(5, divmod, 7, 2) == (3, 1)
    with pytest.raises(SystemExit) as caught:
        call_within(5, failing)
    assert caught.value is error


def test_a_late_call_is_abandoned_in_a_daemon_thread(release: threading.Event) -> None:
    threads: list[threading.Thread] = []

    def hanging() -> None:
        threads.append(threading.current_thread())
        release.wait()

    with pytest.raises(TimeoutError):
        call_within(0.05, hanging)
    assert threads[0].daemon
