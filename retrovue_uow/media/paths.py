"""Paths as text: one spelling for each, which mapping one falls under, and what is at the end of it."""

from __future__ import annotations

import enum
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import groupby
from urllib.parse import unquote

import attrs

from retrovue_uow.errors import ValidationError
from retrovue_uow.media.time_limit import call_within
from retrovue_uow.model import PathMapping, folded
from retrovue_uow.redaction import without_passwords

SYSTEM_FOLDERS = frozenset({"@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
"""What file systems and network storage keep among the user's folders; never media."""

_FILE_URI = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+://)(?P<rest>.*)", re.DOTALL)
_WINDOWS = re.compile(r"[A-Za-z]:(?:[\\/]|\Z)|\\\\")
_ANCHOR = re.compile(r"//(?=[^/])|/|[A-Za-z]:(?:/|\Z)")


@lru_cache(maxsize=4096)  # an ingest asks for each path twice, and for its mappings' with every file
def canonical_key(source_path: str) -> str:
    r"""The one spelling of `source_path`: case kept, NFC, `/` between segments, no `file:`, no trailing slash.

    A backslash separates only where the path starts like Windows (`C:\`, `\\server`): elsewhere it may be part of a
    name. Exactly two leading slashes stay, for they name a server
    (https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap04.html, *Pathname Resolution*). After another
    scheme (`smb://`, `plex://`) the rest stays as it is, but for a password (`smb://user:password@host`), which is masked:
    a key is shown everywhere, also by programs that read the file, and a new password does not make other files of the same.

    Raises:
        ValidationError: the path is empty, relative, has a `..` segment, a NUL, or what is not UTF-8.
    """
    return unicodedata.normalize("NFC", _unified(source_path))


def without_password(source_path: str) -> str:
    """The path as it is, but for the password of a URL, which is masked."""
    is_url = _FILE_URI.fullmatch(source_path) or _URL.fullmatch(source_path)
    return without_passwords(source_path) if is_url else source_path


def key_below(folder_key: str, name: str) -> str:
    """The canonical key of `name` in the folder of that key, which ends with a slash."""
    path = folder_key + name
    # What is spelled alike in every form needs no second look; a walk asks this of every file.
    return path if name.isascii() and "\\" not in name else canonical_key(path)


def is_below(path: str, root: str) -> bool:
    """Whether `path` is `root` or below it, by whole segments. Both are taken as they are spelled."""
    if path.startswith("//") != root.startswith("//"):
        return False
    folder = root.rstrip("/")
    return path.rstrip("/") == folder or path.startswith(f"{folder}/")


def mapping_for(key: str, mappings: Mapping[str, PathMapping]) -> PathMapping | None:
    """The mapping with the longest source path that the canonical `key` is below; `mappings` are by their source paths."""
    end = len(key)
    while end >= 0:
        # Only roots end with a slash: `/`, `C:/`, `smb://`.
        found = mappings.get(key[:end]) or mappings.get(key[: end + 1])
        if found is not None and is_below(key, found.source_path):
            return found
        end = key.rfind("/", 0, end)
    return None


def local_path_for(path: str, mapping: PathMapping) -> str:
    """Where `path`, a canonical key or a source path, is found on this machine.

    Names come out as `path` spells them: only a source path finds a file whose name is not NFC on the disk.
    """
    root = canonical_key(mapping.source_path)
    key = canonical_key(path)
    if not is_below(key, root):
        raise ValidationError(f"path {key!r} is not below the mapped {root!r}: map its folder first")
    remainder = key[len(root) :].strip("/")
    if not remainder:
        return mapping.local_path
    depth = remainder.count("/") + 1
    return os.path.join(mapping.local_path, *_unified(path).split("/")[-depth:])


def escapes(file_path: str, root: str) -> bool:
    """Whether `file_path` lies outside `root` once `..` and links are resolved in both."""
    return Links().lead_out(file_path, root)


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


def excluded(relative_path: str, patterns: Sequence[str]) -> bool:
    """Whether a file at `relative_path` below its mapped root is left out by one of the glob `patterns`.

    A pattern without a slash matches the name of a file or folder at any depth, one with a slash the path from the
    root; `*` and `?` stay within a segment, `**` spans any number of them. Whatever is below a folder that matches is
    left out with it. Case and Unicode form make no difference, as in the selectors.

    Raises:
        ValidationError: a pattern is empty.
    """
    globs = [_glob(pattern) for pattern in patterns]
    segments = tuple(folded(relative_path).split("/"))
    return any(_matches(segments, glob) for glob in globs)


class RootState(enum.Enum):
    """What is at a mapped root. Only `HAS_ENTRIES` is evidence of what the disk holds and does not hold."""

    HAS_ENTRIES = "has entries"
    EMPTY = "empty"
    MISSING = "missing"
    NOT_A_DIRECTORY = "not a directory"
    UNREADABLE = "unreadable"
    NO_ANSWER = "no answer"


@attrs.frozen
class RootVerdict:
    """What `judge_root` found; `error` is what the operating system said, if it objected."""

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


def judge_root(path: str, *, timeout_s: float = 10) -> RootVerdict:
    """What is at the mapped root `path`, found out within `timeout_s` even if its disk hangs.

    A folder with nothing but hidden entries and `lost+found` or its kin is `EMPTY`: a bare mount point looks like that.

    Raises:
        ValidationError: no folder can have that name.
    """
    _refuse_unusable_text(path)
    try:
        return call_within(timeout_s, _judged, path)
    except TimeoutError as error:
        return RootVerdict(RootState.NO_ANSWER, path, error)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of that name is never looked at: hidden, or the system's own."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def is_utf8(text: str) -> bool:
    """Whether `text` can be written as UTF-8; the file system's names that cannot hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def with_form(path: str) -> str:
    """The path in quotes with its Unicode form, which nobody sees."""
    form = next((form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, path)), "mixed")
    return f"{path!r} ({form})"


def reason(error: OSError | None) -> str:
    """What the operating system says, without the path."""
    return (error and error.strerror) or str(error)


def _judged(path: str) -> RootVerdict:
    try:
        with os.scandir(path) as entries:
            evidence = any(not is_ignored(entry.name) for entry in entries)
    except FileNotFoundError as error:
        return RootVerdict(RootState.MISSING, path, error)
    except NotADirectoryError as error:
        return RootVerdict(RootState.NOT_A_DIRECTORY, path, error)
    except OSError as error:
        return RootVerdict(RootState.UNREADABLE, path, error)
    return RootVerdict(RootState.HAS_ENTRIES if evidence else RootState.EMPTY, path)


def _unified(source_path: str) -> str:
    """`source_path` in its one spelling, but for the Unicode form of its names."""
    _refuse_unusable_text(source_path)
    source_path = without_password(source_path)
    if uri := _FILE_URI.fullmatch(source_path):
        return _from_segments(_decoded(uri, source_path), source_path)
    if url := _URL.fullmatch(source_path):
        _refuse_parent_segments(url["rest"], source_path)
        return url["scheme"] + url["rest"].rstrip("/")
    return _from_segments(source_path, source_path)


def _decoded(uri: re.Match[str], source_path: str) -> str:
    """The plain path that a `file:` URI names (https://www.rfc-editor.org/rfc/rfc8089)."""
    host = (uri["host"] or "").lower()
    # Four slashes are rather a root glued to `file:///` than a server: a server has its place as the host.
    path = re.sub("^/+", "/", uri["path"] or "")
    try:
        plain = unquote(path if host in ("", "localhost") else f"//{uri['host']}{path}", errors="strict")
    except UnicodeDecodeError as error:
        raise ValidationError(f"path {source_path!r} is not UTF-8 once decoded: name it in UTF-8") from error
    if "\0" in plain:
        raise ValidationError(f"path {source_path!r} holds a NUL, which no file system allows: correct it")
    return plain[1:] if _WINDOWS.match(plain[1:]) else plain


def _from_segments(path: str, source_path: str) -> str:
    unified = path.replace("\\", "/") if _WINDOWS.match(path) else path
    _refuse_parent_segments(unified, source_path)
    anchor = _ANCHOR.match(unified)
    if anchor is None:
        raise ValidationError(f"path {source_path!r} is relative: give it from the root on")
    names = [name for name in unified[anchor.end() :].split("/") if name not in ("", ".")]
    root = anchor[0] if anchor[0].endswith("/") else f"{anchor[0]}/"
    return root + "/".join(names) if names else root.replace("//", "/")


def _refuse_unusable_text(path: str) -> None:
    if not path:
        raise ValidationError("a path is empty: give the whole path from the root on")
    if "\0" in path:
        raise ValidationError(f"path {without_password(path)!r} holds a NUL, which no file system allows: correct it")
    if not is_utf8(path):
        raise ValidationError(f"path {without_password(path)!r} is not UTF-8: rename it")


def _refuse_parent_segments(path: str, source_path: str) -> None:
    if ".." in path.split("/"):
        raise ValidationError(f"path {source_path!r} has a '..' segment: spell it without")


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> tuple[str, ...]:
    segments = [segment for segment in folded(pattern).split("/") if segment not in ("", ".")]
    if not segments:
        raise ValidationError(f"exclude pattern {pattern!r} is empty: name a file, a folder or a glob such as '*.iso'")
    anywhere = "/" not in pattern.rstrip("/")
    return tuple(name for name, _ in groupby(["**", *segments] if anywhere else segments))


@lru_cache(maxsize=4096)  # without it, many `**` try the same tails over and over
def _matches(segments: tuple[str, ...], glob: tuple[str, ...]) -> bool:
    if not glob:
        return True
    if glob[0] == "**":
        return any(_matches(segments[start:], glob[1:]) for start in range(len(segments)))
    return bool(segments) and fnmatchcase(segments[0], glob[0]) and _matches(segments[1:], glob[1:])
