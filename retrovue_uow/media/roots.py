"""Mapped folders on the disk: what state they are in, where links below them lead, and what in them is never media."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

from retrovue_uow.media.paths import is_below, reason, refuse_unusable_text
from retrovue_uow.media.plugins import call_within

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
    """
    refuse_unusable_text(path)
    try:
        return call_within(timeout_s, _judged, path)
    except TimeoutError as error:
        return RootStatus(RootState.NO_ANSWER, path, error)


def absolute(path: str) -> str:
    """`path` from the root on. Where `..` follows a link, only the disk knows where that leads."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)


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
