"""Paths as text: one spelling for each, and which mapping one falls under."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote

from retrovue_uow.errors import ValidationError
from retrovue_uow.model import PathMapping
from retrovue_uow.secrets import without_passwords

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
    refuse_unusable_text(source_path)
    source_path = without_password(source_path)
    if uri := _FILE_URI.fullmatch(source_path):
        unified = _from_segments(_decoded(uri, source_path), source_path)
    elif url := _URL.fullmatch(source_path):
        _refuse_parent_segments(url["rest"], source_path)
        unified = url["scheme"] + url["rest"].rstrip("/")
    else:
        unified = _from_segments(source_path, source_path)
    return unicodedata.normalize("NFC", unified)


def refuse_unusable_text(path: str) -> None:
    """Raise `ValidationError` if no file can have that path."""
    if not path:
        raise ValidationError("a path is empty: give the whole path from the root on")
    if "\0" in path:
        raise ValidationError(f"path {without_password(path)!r} holds a NUL, which no file system allows: correct it")
    if not is_utf8(path):
        raise ValidationError(f"path {without_password(path)!r} is not UTF-8: rename it")


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


def starts(mappings: Iterable[PathMapping], under: str | None) -> dict[PathMapping, str]:
    """Where the files of each mapping begin: at its root, or at the part of it below the local folder `under`, if any is."""
    return {
        each: under if under is not None and is_below(under, each.local_path) else each.local_path
        for each in mappings
        if under is None or is_below(under, each.local_path) or is_below(each.local_path, under)
    }


def key_at(mapping: PathMapping, local_path: str) -> str:
    """The canonical key of what lies at `local_path`, which is the mapping's root or below it."""
    return canonical_key(os.path.join(mapping.source_path, local_path.removeprefix(mapping.local_path).lstrip("/")))


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


def are_twins(path: str, other: str) -> bool:
    """Whether two paths differ, and in Unicode form alone."""
    return path != other and unicodedata.normalize("NFC", path) == unicodedata.normalize("NFC", other)


def reason(error: OSError | None) -> str:
    """What the operating system says, without the path."""
    return (error and error.strerror) or str(error)


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


def _refuse_parent_segments(path: str, source_path: str) -> None:
    if ".." in path.split("/"):
        raise ValidationError(f"path {source_path!r} has a '..' segment: spell it without")
