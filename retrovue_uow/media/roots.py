"""The disk: mapped folders and their state, links below them, what in them is never media, and whether files are there."""

from __future__ import annotations

import enum
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import attrs

from retrovue_uow.errors import ResourceError, ValidationError, in_working_folder
from retrovue_uow.media.paths import is_below, reason, refuse_unusable_text
from retrovue_uow.media.plugins import call_within
from retrovue_uow.model import AssetDraft, PathMapping, folded

SYSTEM_FOLDERS = frozenset({"@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that file systems and network storage keep among the user's folders; never media."""
_LEFT_OUT: Mapping[str, Literal["partial"] | None] = {
    # What programs call a file while they are still writing it.
    **dict.fromkeys((".!bt", ".!qb", ".!sync", ".!ut", ".aria2", ".bc!", ".crdownload", ".download", ".filepart"), "partial"),
    **dict.fromkeys((".opdownload", ".part", ".partial", ".temp", ".tmp", ".unfinished", ".xltd", ".ytdl"), "partial"),
    # What stands beside media files: sidecars, pictures, subtitles, sounds, the rest of a disc, what systems leave.
    **dict.fromkeys((".nfo", ".xml", ".json", ".txt", ".md", ".url", ".html", ".sfv", ".md5", ".sha1", ".sha256", ".par2")),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tbn", ".tif", ".tiff", ".avif", ".bif", ".edl")),
    **dict.fromkeys((".srt", ".ass", ".ssa", ".sub", ".idx", ".sup", ".smi", ".vtt", ".ttml", ".usf", ".lrc", ".mks", ".pgs")),
    **dict.fromkeys((".mp3", ".flac", ".ogg", ".opus", ".wav", ".m4a", ".mka", ".aac", ".ac3", ".eac3", ".dts", ".thd")),
    **dict.fromkeys((".ifo", ".bup", ".bdmv", ".mpls", ".clpi", ".db", ".ini")),
}
STAT_TIMEOUT_S = 10.0
_PATH_MAX = 4096  # bytes, with a NUL at the end (https://man7.org/linux/man-pages/man7/path_resolution.7.html)
_AT_ONCE = 16
"""Files that share a time limit: a thread for each would cost more than to look at it."""
_LISTED_AT_ONCE, _LISTED_TIMEOUT_S = 1000, 60.0
"""Files that share a time limit where whole folders are looked at."""

Place: TypeAlias = tuple[int, int] | str | None
"""Size and mtime of a regular file, links followed; else a path that differs in case or Unicode form alone, if one is there."""


class RootState(enum.Enum):
    """The state of a mapped root. Only `HAS_ENTRIES` is evidence of what the disk holds and does not hold."""

    HAS_ENTRIES = "has entries"
    EMPTY = "empty"
    MISSING = "missing"
    NOT_A_DIRECTORY = "not a directory"
    UNREADABLE = "unreadable"
    NO_ANSWER = "no answer"


class RootStatus(NamedTuple):
    """The state of a mapped root; `error` is the operating system's, if it objected."""

    state: RootState
    path: str
    error: OSError | None = None

    @property
    def problem(self) -> str | None:
        """A sentence for the user; None where the folder could be read, be it empty."""
        match self.state:
            case RootState.MISSING:
                return f"folder {self.path!r} is missing: is its disk mounted?"
            case RootState.NOT_A_DIRECTORY:
                return f"{self.path!r} is not a folder: name the folder that holds the files"
            case RootState.UNREADABLE:
                return f"folder {self.path!r} cannot be read ({reason(self.error)}): check its disk and its permissions"
            case RootState.NO_ANSWER:
                return f"folder {self.path!r} gives no answer: is its server or disk asleep or gone?"
            case _:
                return None


def root_status(path: str, *, timeout_s: float = 10) -> RootStatus:
    """The status of the mapped root `path`, within `timeout_s` even if its disk hangs.

    A folder with nothing but hidden entries and `lost+found` or its kin is `EMPTY`: a bare mount point looks like that.

    Raises:
        ValidationError: no folder can have that name.
        ResourceError: this process takes names for other ones than the disk has, which would all look new or missing.
    """
    refuse_unusable_text(path)
    if (encoding := sys.getfilesystemencoding()) != "utf-8":
        raise ResourceError(f"file names are read as {encoding} here, not as UTF-8: set PYTHONUTF8=1, or a UTF-8 locale")
    try:
        return call_within(timeout_s, _judged, path)
    except TimeoutError as error:
        return RootStatus(RootState.NO_ANSWER, path, error)


def absolute(path: str) -> str:
    """`path` from the root on. Where `..` follows a link, only the disk knows where that leads.

    Raises:
        ValidationError: it is empty, as a variable of a script may be, and would stand for the working folder.
        ResourceError: it begins at the working folder, which is gone.
    """
    if not path:
        raise ValidationError("name a file or folder, not ''")
    with in_working_folder(path):
        return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)


def located(folder: str, mappings: Iterable[PathMapping], *, timeout_s: float = 10) -> str | None:
    """The path of `folder` below the innermost of the mapped roots, without links on the way; None if it is below none.

    Raises:
        ResourceError: a disk gives no answer within `timeout_s`.
    """
    local_paths = sorted({each.local_path for each in mappings})
    try:
        real, *real_paths = call_within(timeout_s, lambda: [os.path.realpath(each) for each in (folder, *local_paths)])
    except TimeoutError as error:
        raise ResourceError(f"one of {local_paths} gives no answer: is its server or disk asleep or gone?") from error
    inside = [pair for pair in zip(real_paths, local_paths, strict=True) if is_below(real, pair[0])]
    if not inside:
        return None
    real_root, root = max(inside, key=lambda pair: len(pair[0]))
    return os.path.normpath(os.path.join(root, os.path.relpath(real, real_root)))


def is_ignored(name: str) -> bool:
    """Whether a file or folder of that name is never looked at: hidden, or the system's own."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def why_left_out(ending: str) -> Literal["partial", "unknown_extension"] | None:
    """Why a file that has the ending, in lower case, is no media file; None: it stands beside one, and nobody misses it."""
    return _LEFT_OUT.get(ending, "unknown_extension")


class Links:
    """Where links lead, asked once for each folder; to be kept for one look at the disk, and not longer."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def lead_out(self, file_path: str, root: str) -> bool:
        """Whether `file_path` lies outside the folder `root` once `..` and links are resolved in both."""
        folder, name = os.path.split(file_path)
        resolved = os.path.join(self._resolved(folder), name)
        if name in ("", "..") or os.path.islink(resolved):
            resolved = os.path.realpath(resolved)
        return not is_below(resolved, self._resolved(root))

    def _resolved(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]


def trouble(what: str, error: OSError) -> ResourceError:
    """What the operating system objects to, for people."""
    return ResourceError(f"{what} ({reason(error)}): mend or exclude it")


def quoted(path: str) -> str:
    """A path for people: of one that is too long to be opened, both ends and its length."""
    length = len(os.fsencode(path))
    return repr(path) if length < _PATH_MAX else f"{path[:60]!r} … {path[-60:]!r}, a path of {length} bytes,"


def on_disk(drafts: Sequence[AssetDraft], *, timeout_s: float = STAT_TIMEOUT_S) -> list[AssetDraft | None]:
    """The drafts, with size and mtime filled in from the disk where they are None; None for a file that is not there.

    Raises:
        ResourceError: a file cannot be examined, is not a regular one, or a few of them take longer than `timeout_s`.
    """
    found: list[AssetDraft | None] = []
    for start in range(0, len(drafts), _AT_ONCE):
        batch = drafts[start : start + _AT_ONCE]
        answers: list[os.stat_result | OSError] = []
        try:
            call_within(timeout_s, _ask, [draft.file_path for draft in batch], answers)
        except TimeoutError as error:
            late = batch[min(len(answers), len(batch) - 1)].file_path
            raise ResourceError(f"file {late!r} gives no answer: is its server or disk asleep or gone?") from error
        found += map(_on_disk, batch, answers)
    return found


def files_at(paths: Sequence[str], root: str) -> Iterator[Place]:
    """What lies at each of the `paths` below `root`.

    A link that leads out of `root` counts as nothing. A name is looked for as it is spelled, even on a file system to which
    another spelling is the same.

    Raises:
        ResourceError: a folder or file cannot be examined, or some of them take too long.
    """
    look = _Look(root)
    for start in range(0, len(paths), _LISTED_AT_ONCE):
        batch = paths[start : start + _LISTED_AT_ONCE]
        try:
            yield from call_within(_LISTED_TIMEOUT_S, look.at_all, batch)
        except TimeoutError as error:
            late = batch[0]
            raise ResourceError(
                f"file {late!r} or one after it gives no answer: is its server or disk asleep or gone?"
            ) from error


class _Listing(dict[str, bool]):
    """The paths in a folder, and whether each is a link. An entry itself would keep all that was found out about its file."""

    @cached_property
    def alike(self) -> dict[str, str]:
        """The paths by what their names have in common with others of other case or Unicode form; of several, the first."""
        return {folded(os.path.basename(path)): path for path in sorted(self, reverse=True)}


class _Look:
    """One look at a mapped folder and what is below it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._links = Links()
        self._listings: dict[str, _Listing] = {}

    def at_all(self, paths: Sequence[str]) -> list[Place]:
        found: list[Place] = []
        listing = _Listing()
        for path in paths:
            is_link = listing.get(path)
            if is_link is None:
                listing = self._listing(os.path.dirname(path))
                is_link = listing.get(path)
            there = None if is_link is None else self._file(path, is_link=is_link)
            found.append(there or self._alike(path))
        return found

    def _file(self, path: str, *, is_link: bool) -> tuple[int, int] | None:
        try:
            found = os.stat(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return None
            raise trouble(f"file {quoted(path)} cannot be examined", error) from error
        if not stat.S_ISREG(found.st_mode) or (is_link and self._links.lead_out(path, self._root)):
            return None
        return found.st_size, found.st_mtime_ns

    def _alike(self, path: str) -> str | None:
        place = self._root
        for name in path[len(self._root) :].strip("/").split("/"):
            listing, spelled = self._listing(place), os.path.join(place, name)
            there = spelled if spelled in listing else listing.alike.get(folded(name))
            if there is None:
                return None
            place = there
        return place if place != path else None

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listings:
            self._listings[folder] = self._listed(folder)
        return self._listings[folder]

    def _listed(self, folder: str) -> _Listing:
        """The entries of a folder; none where a folder of exactly that path is not there, or lies outside the root."""
        is_link = False if folder == self._root else self._listing(os.path.dirname(folder)).get(folder)
        if is_link is None or (is_link and self._links.lead_out(folder, self._root)):
            return _Listing()
        try:
            with os.scandir(folder) as entries:
                return _Listing({entry.path: entry.is_symlink() for entry in entries})
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP) or (is_link and error.errno == errno.ENOENT):
                return _Listing()
            raise trouble(f"folder {quoted(folder)} cannot be read", error) from error


def _judged(path: str) -> RootStatus:
    try:
        with os.scandir(path) as entries:
            evidence = any(not is_ignored(entry.name) for entry in entries)
    except FileNotFoundError as error:
        return RootStatus(RootState.MISSING, path, error)
    except NotADirectoryError as error:
        return RootStatus(RootState.NOT_A_DIRECTORY, path, error)
    except OSError as error:
        return RootStatus(RootState.UNREADABLE, path, error)
    return RootStatus(RootState.HAS_ENTRIES if evidence else RootState.EMPTY, path)


def _ask(paths: Sequence[str], answers: list[os.stat_result | OSError]) -> None:
    """Add the disk's answer for each path. An error is an answer: `ETIMEDOUT` looks like a time limit of our own."""
    for path in paths:
        try:
            answers.append(os.stat(path))
        except OSError as error:
            answers.append(error)


def _on_disk(draft: AssetDraft, answer: os.stat_result | OSError) -> AssetDraft | None:
    if isinstance(answer, FileNotFoundError | NotADirectoryError):
        return None
    if isinstance(answer, OSError):
        raise trouble(f"file {quoted(draft.file_path)} cannot be examined", answer) from answer
    if not stat.S_ISREG(answer.st_mode):
        raise ResourceError(f"{draft.file_path!r} is not a regular file: name a media file")
    size = answer.st_size if draft.size is None else draft.size
    mtime_ns = answer.st_mtime_ns if draft.mtime_ns is None else draft.mtime_ns
    return attrs.evolve(draft, size=size, mtime_ns=mtime_ns)
