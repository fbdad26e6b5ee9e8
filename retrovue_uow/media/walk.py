"""The file-system importer."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import attrs

from retrovue_uow.errors import ResourceError, RetroVueError, ValidationError, some
from retrovue_uow.log import logger
from retrovue_uow.media.nfo import MOVIE_SIDECAR, SEASON_SIDECAR, SHOW_SIDECAR, own_sidecar, own_sidecars
from retrovue_uow.media.paths import canonical_key, is_below, is_utf8, key_below, starts
from retrovue_uow.media.plugins import refuse_unknown_keys
from retrovue_uow.media.roots import Links, is_ignored, quoted, root_status, trouble, why_left_out
from retrovue_uow.model import AssetDraft, Collection, FoundCollection, IngestFilters, Json, PathMapping, Sidecar

VIDEO_ENDINGS = (
    *(".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv"),
)
MAX_NAMED = 20

Skip: TypeAlias = Callable[[str, str, RetroVueError | None], None]
"""Told the reason and path of what is left out; and of what can be no asset, which the operator should see to, the error."""
Identity: TypeAlias = tuple[int, int]
"""Device and inode: what makes a folder the same, whatever its path."""


def refuse(reason: str, path: str, error: RetroVueError | None) -> None:
    """What `discover` does with a thing that can be no asset: it raises the error."""
    if error is not None:
        raise error


class FilesystemImporter:
    """Finds the media files below the mapped folders of a collection.

    Configuration, all optional: `root`, an absolute folder whose subfolders are the source's collections, and
    `extensions`, the endings of media files (with or without the dot) in place of `VIDEO_ENDINGS`.
    """

    def __init__(self, config: Json) -> None:
        refuse_unknown_keys(config, ("root", "extensions"), "the filesystem importer")
        root = config.get("root")
        if root is not None and not (isinstance(root, str) and os.path.isabs(root)):
            raise ValidationError(f"the filesystem importer's root {root!r} is not an absolute path: give one")
        self._root = None if root is None else os.path.normpath(root)
        self._endings = media_endings(config.get("extensions"))

    def __init_subclass__(cls) -> None:
        """A derived importer that finds other files is asked for drafts of them, not for the runs of this one."""
        if "discover" in vars(cls) and "file_runs" not in vars(cls):
            cls.file_runs = None  # type: ignore[assignment]  # as if it had no such method

    def check(self) -> None:
        """Raise `ResourceError` unless the configured root, if any, can be read."""
        if self._root is None:
            return
        status = root_status(self._root)
        if status.problem:
            raise ResourceError(status.problem) from status.error

    def collections(self) -> Iterable[FoundCollection]:
        """A collection per visible folder directly below the root, mapped to itself, by name.

        Raises:
            ValidationError: no root is configured, or a folder's name is not UTF-8.
            ResourceError: the root cannot be read.
        """
        if self._root is None:
            raise ValidationError("the filesystem source has no 'root': configure one, or add collections with add_collection")
        self.check()
        folders = [each for each in _listing(self._root) if _is_folder(each)]
        if odd := [each.path for each in folders if not is_utf8(each.name)]:
            raise _odd_names(odd)
        return [FoundCollection(each.name, path_mappings={each.path: each.path}) for each in folders]

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        """A draft per media file below `mappings`, in the order of their paths, with size, mtime and sidecars.

        Hidden and system files and folders are skipped. A folder is walked once, however many paths lead to it: a
        mapped root below another by its own mapping, a folder by its own path before a link's.

        Raises:
            ValidationError: a link leaves its mapped root; or names are not UTF-8 (up to 20 are named at once).
            ResourceError: a folder or file cannot be read, or a link to a media file is broken.
        """
        for run in self.file_runs(mappings, filters):
            for entry, found in run.examined():
                yield run.draft(entry, found)

    def file_runs(self, mappings: Sequence[PathMapping], filters: IngestFilters, skip: Skip = refuse) -> Iterator[Run]:
        """The files of which `discover` makes drafts, in its order, not examined yet.

        What can be no asset is handed to `skip` with the reason, its path and the error that `discover` raises; what is passed
        over, with the reason (`excluded`, `hidden`, `partial`, `unknown_extension`), its path and None.
        """
        begins = starts(mappings, filters.under)
        roots: dict[Identity, PathMapping] = {}
        # Of several mappings that hold the one folder, the innermost comes first.
        for mapping in sorted(begins, key=lambda each: (begins[each], -len(each.local_path), each.source_path)):
            roots.setdefault(_folder_identity(begins[mapping]), mapping)
        walked = {_folder_identity(each.local_path) for each in mappings if each in begins or os.path.isdir(each.local_path)}
        odd_names: list[str] = []
        mapped = frozenset(canonical_key(each.source_path) for each in mappings) if len(mappings) > 1 else frozenset()
        for mapping in roots.values():
            yield from _Walk(mapping, begins[mapping], self._endings, filters, walked, odd_names, mapped, skip).runs()
        _skip_odd_names(odd_names, skip)


def with_sidecars(draft: AssetDraft, root: str, skip: Skip = refuse) -> AssetDraft:
    """`draft` with its sidecars, where they are None: those beside the file, and the show's, up to the mapped `root`.

    Raises:
        ResourceError: a folder or a sidecar cannot be read.
    """
    if draft.sidecars is not None:
        return draft
    folder, name = os.path.split(draft.file_path)
    found = [*_sidecars((*own_sidecars(name), SEASON_SIDECAR), _nfos(_listing(folder)), root, skip)]
    while is_below(folder, root):
        found += _sidecars((SHOW_SIDECAR,), _nfos(_listing(folder)), root, skip)
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)
    return attrs.evolve(draft, sidecars=tuple(found))


def media_endings(extensions: object) -> frozenset[str]:
    """The endings of media files, in lower case, of a source configured with these `extensions`; None: `VIDEO_ENDINGS`."""
    if extensions is None:
        return frozenset(VIDEO_ENDINGS)
    if not isinstance(extensions, list | tuple) or not extensions:
        raise ValidationError(f"the filesystem importer's extensions {extensions!r} are not a list: give ['.mkv', …]")
    for extension in extensions:
        bare = extension.removeprefix(".") if isinstance(extension, str) else ""
        if not bare or "." in bare or "/" in bare:
            raise ValidationError(f"the filesystem importer's extension {extension!r} is not one ending such as '.mkv'")
    return frozenset(f".{extension.removeprefix('.').casefold()}" for extension in extensions)


@attrs.frozen(eq=False)
class Run:
    """Media files of one folder, in order, with no subfolder between them. They are examined as they are asked for.

    Attributes:
        mapping: The one that they are found by.
        shows: The show's sidecars of the folder and the ones above it, nearest first: all that a file has which has none
            of its own.
    """

    mapping: PathMapping
    _skip: Skip
    _folder: str
    _source_path: str  # of the folder, as the source has it, with a slash at the end
    _key: str  # of the folder, with a slash at the end
    _identity: Identity
    _nfos: dict[str, os.DirEntry[str]]
    shows: tuple[Sidecar, ...]
    _entries: tuple[os.DirEntry[str], ...] = ()

    def examined(self) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
        """The regular files among them, each with its `stat`; without those that have vanished, or that are skipped."""
        for entry in self._entries:
            try:
                found = _entry_stat(entry, self.mapping.local_path)
            except RetroVueError as error:
                self._skip("link" if entry.is_symlink() else "unreadable", entry.path, error)
                continue
            if found is None:
                # A file that is gone from a folder was removed; if the folder is another one, the disk under it was.
                if _folder_identity(self._folder) != self._identity:
                    raise ResourceError(
                        f"folder {self._folder!r} became another one while it was read: was its disk unmounted?"
                    )
                logger.debug("listed_file_vanished", path=entry.path)
            elif stat.S_ISREG(found.st_mode):
                yield entry, found

    def key(self, name: str) -> str:
        """The canonical key of one of the files."""
        return key_below(self._key, name)

    def sidecars(self, name: str) -> tuple[Sidecar, ...]:
        """The sidecars of one of the files; `shows` itself where there are no others."""
        if not self._nfos:
            return self.shows
        names = own_sidecars(name) if MOVIE_SIDECAR in self._nfos else (own_sidecar(name),)
        own = _sidecars((*names, SEASON_SIDECAR), self._nfos, self.mapping.local_path, self._skip)
        return (*own, *self.shows) if own else self.shows

    def draft(self, entry: os.DirEntry[str], found: os.stat_result) -> AssetDraft:
        """The draft of an examined file."""
        return AssetDraft(
            file_path=entry.path,
            source_path=f"{self._source_path}{entry.name}",
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
            sidecars=self.sidecars(entry.name),
        )


_Subfolder: TypeAlias = tuple[Run, os.DirEntry[str]]
"""The folder that a subfolder is in, and its entry there."""


@attrs.frozen(eq=False)
class _Walk:
    """The walk below one mapped root.

    Attributes:
        start: The root, or a folder below it, to which alone the walk goes down.
        walked: Shared with the walks of the other mappings, as is `odd_names`.
        mapped: The canonical keys of all mappings, if there are several: what the source has there is not looked for below
            another root.
    """

    _mapping: PathMapping
    _start: str
    _endings: frozenset[str]
    _filters: IngestFilters
    _walked: set[Identity]
    _odd_names: list[str]
    _mapped: frozenset[str]
    _skip: Skip
    _links: deque[_Subfolder] = attrs.field(factory=deque, init=False)

    def runs(self) -> Iterator[Run]:
        root = self._mapping.local_path
        way = [*filter(None, _below(root, self._start).split("/")), None]
        pending = self._listed(root, canonical_key(self._mapping.source_path), _folder_identity(root), (), only=way[0])
        for name in way[1:]:
            inner = pending.pop() if pending else None
            if not isinstance(inner, tuple):
                raise ValidationError(f"an ingest leaves out {self._start!r}: it is hidden, excluded or another mapping's")
            pending = self._entered(*inner, only=name)
        while pending or self._links:
            # Links wait until all else is walked: what is there by its own path keeps that path.
            found = pending.pop() if pending else self._links.popleft()
            if isinstance(found, Run):
                yield found
            else:
                pending += self._entered(*found)

    def _entered(self, parent: Run, entry: os.DirEntry[str], *, only: str | None = None) -> list[Run | _Subfolder]:
        try:
            if entry.is_symlink():
                _refuse_escape(entry.path, self._mapping.local_path)
                if self._is_met_elsewhere(entry.path):
                    return []
            identity = _folder_identity(entry.path)
        except RetroVueError as error:
            self._skip("link" if entry.is_symlink() else "unreadable", entry.path, error)
            return []
        if identity in self._walked:
            return []
        self._walked.add(identity)
        return self._listed(entry.path, parent.key(entry.name), identity, parent.shows, only=only)

    def _is_met_elsewhere(self, link: str) -> bool:
        """Whether the walk of the whole root meets what the link leads to by its own path, which lies outside this walk."""
        if not Links().lead_out(link, self._start):
            return False
        below = _below(os.path.realpath(self._mapping.local_path), os.path.realpath(link))
        return not any(map(is_ignored, below.split("/"))) and not self._filters.excludes(below)

    def _listed(
        self, path: str, key: str, identity: Identity, shows: tuple[Sidecar, ...], *, only: str | None
    ) -> list[Run | _Subfolder]:
        """The runs and subfolders of a folder, or the `only` one, last name first; links are put aside."""
        entries = _listing(path, self._skip, only=only)
        nfos, root = _nfos(entries), self._mapping.local_path
        shows = (*_sidecars((SHOW_SIDECAR,), nfos, root, self._skip), *shows)
        source_root = _with_slash(canonical_key(self._mapping.source_path))
        source_path = _with_slash(source_root + _below(root, path))
        folder = Run(self._mapping, self._skip, path, source_path, _with_slash(key), identity, nfos, shows)
        listed: list[Run | _Subfolder] = []
        kept = [entry for entry in entries if only in (None, entry.name) and self._is_wanted(folder, entry)]
        for are_folders, wanted in groupby(kept, _is_folder):
            if not are_folders:
                listed.append(attrs.evolve(folder, entries=tuple(wanted)))
                continue
            for entry in wanted:
                (self._links if entry.is_symlink() else listed).append((folder, entry))
        return listed[::-1]

    def _is_wanted(self, folder: Run, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if self._mapped and is_utf8(name) and folder.key(name) in self._mapped:
            return False
        if self._filters.exclude and self._filters.excludes(_below(self._mapping.local_path, entry.path)):
            self._skip("excluded", entry.path, None)
            return False
        ending = name[name.rfind(".") :].casefold()
        if ending not in self._endings and not _is_folder(entry):
            if why := why_left_out(ending):
                self._skip(why, entry.path, None)
            return False
        if is_utf8(name):
            return True
        self._odd_names.append(entry.path)  # to be refused together, and not by the thousand
        if len(self._odd_names) >= MAX_NAMED:
            _skip_odd_names(self._odd_names, self._skip)
        return False


def _with_slash(path: str) -> str:
    return path if path.endswith("/") else f"{path}/"


def _below(root: str, path: str) -> str:
    """The part of a path that lies below the mapped root."""
    return path.removeprefix(root).lstrip("/")


def _listing(folder: str, skip: Skip = refuse, *, only: str | None = None) -> list[os.DirEntry[str]]:
    """The entries of `folder` that are ever looked at, so sorted that a walk meets whole paths in order.

    With `only`, the one of that name and the NFO files: a collection may have a thousand folders beside the one that is wanted.
    """
    try:
        seen: list[os.DirEntry[str]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                is_meant = only is None or entry.name == only
                if not is_ignored(entry.name):
                    if is_meant or entry.name.casefold().endswith(".nfo"):
                        seen.append(entry)
                elif is_meant:
                    skip("hidden", entry.path, None)
        # Some file systems do not say what an entry is until it is asked: that may fail, here and no later.
        return sorted(seen, key=lambda entry: f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name)
    except OSError as error:
        raise trouble(f"folder {quoted(folder)} cannot be read", error) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise trouble(f"{quoted(entry.path)} cannot be examined", error) from error


def _folder_identity(path: str) -> Identity:
    try:
        found = os.stat(path)
    except OSError as error:
        raise trouble(f"folder {quoted(path)} cannot be examined", error) from error
    return found.st_dev, found.st_ino


def _entry_stat(entry: os.DirEntry[str], root: str) -> os.stat_result | None:
    """The `stat` of a file, links followed; None if it vanished after it was listed."""
    try:
        found = entry.stat()
    except FileNotFoundError as error:
        if not entry.is_symlink():
            return None
        raise ResourceError(f"link {quoted(entry.path)} is broken: mend or exclude it") from error
    except OSError as error:
        raise trouble(f"file {quoted(entry.path)} cannot be examined", error) from error
    if entry.is_symlink():
        _refuse_escape(entry.path, root)
    return found


def _refuse_escape(path: str, root: str) -> None:
    if Links().lead_out(path, root):
        target = os.path.realpath(path)
        raise ValidationError(f"link {path!r} leaves {root!r} for {target!r}: exclude it or map its target")


def _skip_odd_names(paths: list[str], skip: Skip) -> None:
    """Hand them on, and forget them."""
    while paths:
        skip("not_utf8", paths[0], _odd_names(paths))
        del paths[0]


def _odd_names(paths: Sequence[str]) -> ValidationError:
    named = some([f"- {path!r}" for path in paths], MAX_NAMED, between="\n")
    return ValidationError(f"names that are not UTF-8:\n{named}\nRename or exclude them.")


def _nfos(entries: Sequence[os.DirEntry[str]]) -> dict[str, os.DirEntry[str]]:
    """The NFO files among `entries`, by their casefolded names; of several, the first."""
    return {name: entry for entry in reversed(entries) if (name := entry.name.casefold()).endswith(".nfo")}


def _sidecars(names: Iterable[str], nfos: dict[str, os.DirEntry[str]], root: str, skip: Skip) -> tuple[Sidecar, ...]:
    """Those of the NFO files that have one of the `names` and are regular files below `root`; what is skipped once is gone."""
    sidecars: list[Sidecar] = []
    for entry in [nfos[name] for name in dict.fromkeys(map(str.casefold, names)) if name in nfos]:
        try:
            found = _entry_stat(entry, root)
        except RetroVueError as error:
            skip("link" if entry.is_symlink() else "unreadable", entry.path, error)
            del nfos[entry.name.casefold()]
        else:
            if found and stat.S_ISREG(found.st_mode):
                sidecars.append(Sidecar(entry.path, found.st_size, found.st_mtime_ns))
    return tuple(sidecars)
