"""The importer of Kodi: the episodes and movies of its library, and what lies in folders that it has none of, over JSON-RPC."""

from __future__ import annotations

import json
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from retrovue_uow.errors import ResourceError, ValidationError
from retrovue_uow.media.paths import canonical_key, is_below, is_utf8, key_at, mapping_for, starts, without_password
from retrovue_uow.media.plugins import call_within, refuse_unknown_keys
from retrovue_uow.media.roots import is_ignored
from retrovue_uow.media.walk import VIDEO_ENDINGS
from retrovue_uow.model import AssetDraft, Collection, FoundCollection, IngestFilters, Json, PathMapping
from retrovue_uow.secrets import redacted_text

OLDEST_API = 12
"""Kodi 19's version of the interface (https://kodi.wiki/view/JSON-RPC_API)."""
PAGE = 500
"""Items in one answer: Kodi takes 50 ms for them, and more of them at once are not quicker."""
MAX_BYTES = 16 * 2**20
_SHARES = frozenset({"smb", "nfs", "afp", "ftp", "ftps", "sftp", "ssh", "dav", "davs", "file"})
"""The schemes behind which are files that can be mounted; what has another one is no file, or several, or one within one."""
_EPISODE = ("title", "showtitle", "season", "episode", "tvshowid", "file", "runtime", "streamdetails", "plot", "uniqueid")
_MOVIE = ("title", "year", "file", "runtime", "streamdetails", "plot", "genre", "uniqueid")
_MUSIC_VIDEO = ("title", "artist", "year", "file", "runtime", "streamdetails", "plot", "genre")
_SHOW = ("title", "year", "plot", "genre", "uniqueid")
_FIRST_YEAR = 1800
"""Where Kodi knows no year, it says 0 or 1601."""
_ODD = "Kodi lists this file as episodes of several shows or seasons: correct it there"

Item: TypeAlias = Mapping[str, Any]
"""What Kodi tells of one thing; nothing of it is believed to be of the right type."""


class KodiImporter:
    """Finds what a Kodi has: the episodes, movies and music videos of its library, and the files of chosen sources.

    Configuration: `url`, such as `http://192.168.1.5:8080`; `username` (`kodi` where it is left out) and `password`, sent to
    no other host; `folders`, names of video sources that are no part of the library, of which every video file is found;
    `timeout_s`, seconds that one answer may take, 30 unless given. Redirects are not followed, nor are the proxies of the
    environment used. Kodi tells neither size nor mtime, so the disk is asked.
    """

    max_missing = 0.5
    timeout_s = 3600.0  # of all answers between two drafts; each has its own limit

    def __init__(self, config: Json) -> None:
        refuse_unknown_keys(config, ("url", "username", "password", "folders", "timeout_s"), "the kodi importer")
        self._https, self._host, self._port, self._path = _address(config.get("url"))
        self._called = f"Kodi at {config['url']!r}"
        self._seconds = _seconds(config.get("timeout_s", 30))
        folders = config.get("folders", ())
        if not isinstance(folders, list | tuple) or not all(isinstance(each, str) for each in folders):
            raise ValidationError("the kodi importer's folders are no list: give the names of video sources, ['Station', …]")
        self._folders = frozenset(folders)
        username, password = config.get("username", "kodi"), config.get("password", "")
        if not isinstance(username, str) or not isinstance(password, str):
            raise ValidationError("the kodi importer's username and password must be texts")
        self._headers = {"Content-Type": "application/json"}
        if "username" in config or "password" in config:
            # What an environment variable holds may be no UTF-8.
            pair = f"{username}:{password}".encode(errors="surrogateescape")
            self._headers["Authorization"] = f"Basic {b64encode(pair).decode()}"

    def check(self) -> None:
        """Raise `ResourceError` unless a Kodi that is new enough answers, and lets us in."""
        version = self._ask("JSONRPC.Version").get("version")
        major = version.get("major") if isinstance(version, Mapping) else None
        if not isinstance(major, int) or major < OLDEST_API:
            raise ResourceError(
                f"{self._called} speaks version {major!r} of the JSON-RPC interface, not {OLDEST_API} or later: "
                "update it to Kodi 19 or later"
            )

    def collections(self) -> Iterable[FoundCollection]:
        """A collection per video source, which its path names; a folder that is here, too, is mapped to itself."""
        for name, path in self._sources():
            here = [each.rstrip("/") for each in _parts(path) if each.startswith("/") and os.path.isdir(each)]
            yield FoundCollection(name, without_password(path), {each: each for each in here})

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        """As `file_drafts`, without what can be no asset."""
        return self.file_drafts(collection, mappings, filters, lambda _reason, _path: None)

    def file_drafts(
        self,
        collection: Collection,
        mappings: Sequence[PathMapping],
        filters: IngestFilters,
        skip: Callable[[str, str], None],
    ) -> Iterator[AssetDraft]:
        """A draft per file below `mappings`: of episodes, movies and music videos, and of what the `folders` have besides.

        What can be no asset is handed to `skip`: a `strm` file, and by its scheme what is no file (`stack`, `plugin`, …).
        """
        places = _Places(mappings, filters.under, skip)
        yield from self._episodes(places)
        for kind, properties in (("Movies", _MOVIE), ("MusicVideos", _MUSIC_VIDEO)):
            for each in self._library(kind, properties):
                if (place := places.of(_file(each))) is not None:
                    yield _movie(place, each) if kind == "Movies" else place.draft(kind="other", metadata=_told([each]))
        for path in self._files(places) if self._folders else ():
            if (place := places.of(path)) is not None:
                yield place.draft()

    def _episodes(self, places: _Places) -> Iterator[AssetDraft]:
        """A draft per file: what shows several episodes is listed once for each."""
        shows = {each.get("tvshowid"): each for each in self._library("TVShows", _SHOW)}
        episodes: dict[str, list[Item]] = {}
        for each in self._library("Episodes", _EPISODE):
            episodes.setdefault(_file(each), []).append(each)
        for path, shown in episodes.items():
            if (place := places.of(path)) is not None:
                yield _episode(place, shown, shows.get(shown[0].get("tvshowid"), {}))

    def _sources(self) -> list[tuple[str, str]]:
        """The video sources, by name and path."""
        listed = self._items(self._ask("Files.GetSources", media="video"), "sources")
        sources = [(_text(each, "label") or _file(each), _file(each)) for each in listed]
        if unknown := sorted(self._folders - {name for name, _ in sources}):
            raise ValidationError(f"{self._called} has no video source {unknown[0]!r}: correct 'folders' of its configuration")
        return sources

    def _library(self, kind: str, properties: Sequence[str]) -> Iterator[Item]:
        """All of one kind, asked for by the page."""
        start, total = 0, None
        while total is None or start < total:
            page = self._ask(f"VideoLibrary.Get{kind}", properties=properties, limits={"start": start, "end": start + PAGE})
            items = self._items(page, kind.lower())
            limits = page.get("limits")
            now = limits.get("total") if isinstance(limits, Mapping) else None
            if total not in (None, now) or not isinstance(now, int) or len(items) != min(PAGE, max(now - start, 0)):
                raise ResourceError(f"the library of {self._called} changed while it was read: run it again once it is scanned")
            yield from items
            start, total = start + PAGE, now

    def _files(self, places: _Places) -> Iterator[str]:
        """The video files in and below the `folders`, where they are `places`; each folder once, whatever links lead to it."""
        folders = [part for name, path in self._sources() if name in self._folders for part in _parts(path)]
        seen: set[object] = set()
        while folders:
            folder = folders.pop()
            if not places.may_be_in(folder) or (identity := places.identity(folder)) in seen:
                continue
            seen.add(identity)
            for each in self._items(self._ask("Files.GetDirectory", directory=folder, media="files"), "files"):
                path = _file(each)
                name = path.rstrip("/").rpartition("/")[2]
                if is_ignored(name):
                    continue
                if each.get("filetype") == "directory":
                    folders.append(path)
                elif name[name.rfind(".") :].casefold() in {*VIDEO_ENDINGS, ".strm"}:
                    yield path

    def _items(self, answer: Item, name: str) -> list[Item]:
        items = answer.get(name, [])  # Kodi leaves it out where there are none
        if not isinstance(items, list) or not all(isinstance(each, Mapping) for each in items):
            raise ResourceError(f"{self._called} answered something else than a list of {name}: is it a Kodi?")
        return items

    def _ask(self, method: str, **params: object) -> Item:
        """The result of a call."""
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        status, location, body = self._exchanged(request.encode())
        if status == 401:
            whether = "refuses the username and password" if "Authorization" in self._headers else "asks for a password"
            raise ResourceError(f"{self._called} {whether}: give the source the 'username' and 'password' of its web server")
        if 300 <= status < 400 and location:
            to = redacted_text(location[:200])
            raise ResourceError(f"{self._called} sends us to {to!r}, which is not followed: give the source its true 'url'")
        if status != 200 or len(body) > MAX_BYTES:
            what = f"status {status}" if status != 200 else f"more than {MAX_BYTES // 2**20} MiB"
            raise ResourceError(f"{self._called} answered {method} with {what}: is it a Kodi?")
        try:
            answer = json.loads(body.decode(errors="surrogateescape"))  # as the file system's names are read
        except (ValueError, RecursionError) as error:
            raise ResourceError(f"{self._called} answered {method} with something else than JSON: is it a Kodi?") from error
        result = answer.get("result") if isinstance(answer, Mapping) else None
        if not isinstance(result, Mapping):
            told = redacted_text(str(answer.get("error") if isinstance(answer, Mapping) else answer)[:200])
            asked = f" of {redacted_text(str(params['directory']))!r}" if "directory" in params else ""
            raise ResourceError(f"{self._called} refused {method}{asked} ({told}): look into its log")
        return result

    def _exchanged(self, body: bytes) -> tuple[int, str | None, bytes]:
        """Status, redirection and body of the answer, all of it in time: a limit for each read would wait for a trickle."""
        sockets: list[socket.socket] = []
        connection = (HTTPSConnection if self._https else HTTPConnection)(self._host, self._port, timeout=self._seconds)

        def exchange() -> tuple[HTTPResponse, bytes]:
            with closing(connection):
                connection.connect()
                sockets.append(connection.sock)
                connection.request("POST", self._path, body, self._headers)
                response = connection.getresponse()
                with response:
                    return response, response.read(MAX_BYTES + 1)

        try:
            response, answer = call_within(self._seconds, exchange)
        except TimeoutError as error:
            raise ResourceError(
                f"{self._called} gave no whole answer within {self._seconds:g} s: is it asleep or gone? If it is slow, give "
                "the source a longer 'timeout_s'"
            ) from error
        except (OSError, HTTPException, ValueError) as error:
            raise ResourceError(
                f"{self._called} cannot be reached ({error}): is it running, and its web server switched on?"
            ) from error
        finally:
            for each in sockets:  # so that the thread of a late answer ends, too
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        return response.status, response.getheader("Location"), answer


class _Place(NamedTuple):
    """Where a file is: as Kodi has it, and on this machine."""

    source_path: str
    file_path: str

    def draft(self, **known: Any) -> AssetDraft:
        return AssetDraft(self.file_path, self.source_path, **known)


class _Places:
    """The files of a collection: which of Kodi's are among them, and which have been met."""

    def __init__(self, mappings: Sequence[PathMapping], under: str | None, skip: Callable[[str, str], None]) -> None:
        self._mappings = {each.source_path: each for each in mappings}
        self._begins = {each.source_path: key_at(each, folder) for each, folder in starts(mappings, under).items()}
        self._skip = skip
        self._met: set[str] = set()

    def of(self, path: str) -> _Place | None:
        """Where the file is; None if it is another collection's, or has been met, or is none."""
        if path in self._met:
            return None
        self._met.add(path)
        key = self._key(path)
        if key is None:
            return None
        mapping = mapping_for(key, self._mappings)
        if mapping is None:
            scheme = path.partition("://")[0] if "://" in path else "file"
            if scheme not in _SHARES:
                self._skip(scheme, redacted_text(path))
        elif is_below(key, self._begins.get(mapping.source_path, "\0")):
            if not path.casefold().endswith(".strm"):
                return _Place(path, _local(path, mapping))
            self._skip("strm", path)
        return None

    def may_be_in(self, folder: str) -> bool:
        """Whether the folder lies in what is looked at, or that in it."""
        key = self._key(folder)
        return key is not None and any(is_below(key, begin) or is_below(begin, key) for begin in self._begins.values())

    def identity(self, folder: str) -> object:
        """What makes a folder the same, whatever its path: to Kodi a link is a folder like any other."""
        mapping = mapping_for(canonical_key(folder), self._mappings)
        with suppress(OSError):
            found = os.stat(folder if mapping is None else _local(folder, mapping))
            return found.st_dev, found.st_ino
        return folder

    def _key(self, path: str) -> str | None:
        """Its canonical key; None where it can have none, which is told."""
        try:
            return canonical_key(path)
        except ValidationError:
            self._skip("no_path" if is_utf8(path) else "not_utf8", redacted_text(path))
            return None


def _local(path: str, mapping: PathMapping) -> str:
    """The path on this machine, its names spelled as Kodi spells them: the catalogue's key may be in another Unicode form."""
    below = _names(canonical_key(path).removeprefix(mapping.source_path))
    names = _names(path if "/" in path else path.replace("\\", "/"))
    return os.path.join(mapping.local_path, *names[len(names) - len(below) :])


def _names(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]


def _address(url: object) -> tuple[bool, str, int | None, str]:
    """Whether by TLS, host, port and path of the address that is configured."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may show a password
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.query or parts.fragment:
        raise ValidationError(
            "the kodi importer's url is not one like 'http://localhost:8080', with nobody's name in it: give that of Kodi's "
            "web server, and 'username' and 'password' beside it"
        )
    return parts.scheme == "https", host, port, f"{parts.path.rstrip('/').removesuffix('/jsonrpc')}/jsonrpc"


def _seconds(timeout_s: object) -> float:
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= KodiImporter.timeout_s:
        raise ValidationError(f"the kodi importer's timeout_s {timeout_s!r} is not a number of seconds up to an hour")
    return timeout_s


def _parts(path: str) -> list[str]:
    """The folders of a source, which may have several."""
    several = path.removeprefix("multipath://")
    return [path] if several == path else [unquote(each) for each in several.split("/") if each]


def _file(item: Item) -> str:
    path = item.get("file")
    if not isinstance(path, str) or not path:
        raise ResourceError(f"Kodi lists something without a path ({redacted_text(str(item)[:200])!r}): look into its log")
    return path


def _text(item: Item, name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value.strip() else None


def _number(item: Item, name: str, least: int) -> int | None:
    value = item.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= least else None


def _episode(place: _Place, items: Sequence[Item], show: Item) -> AssetDraft:
    """A file with all of its episodes, if they are of one season; else it is told by the first of them, and warned of."""
    title, season = _text(items[0], "showtitle"), _number(items[0], "season", 0)
    alike = [each for each in items if (each.get("tvshowid"), each.get("season")) == (items[0].get("tvshowid"), season)]
    numbers = sorted({number for each in alike if (number := _number(each, "episode", 0)) is not None})
    if title is None or season is None or not numbers:
        return place.draft(metadata=_told(items, show))
    in_order = sorted(items, key=lambda each: _number(each, "episode", 0) or 0)
    names = dict.fromkeys(filter(None, (_text(each, "title") for each in in_order)))
    return place.draft(
        kind="episode",
        title=title,
        year=_number(show, "year", _FIRST_YEAR),
        season_number=season,
        episode_numbers=tuple(numbers),
        episode_title=" / ".join(names)[:1000] or None,
        metadata=_told(in_order, show),
        warnings=(_ODD,) if len(alike) < len(items) else (),
    )


def _movie(place: _Place, item: Item) -> AssetDraft:
    title = _text(item, "title")
    if title is None:
        return place.draft(metadata=_told([item]))
    return place.draft(kind="movie", title=title, year=_number(item, "year", _FIRST_YEAR), metadata=_told([item]))


def _told(items: Sequence[Item], show: Item | None = None) -> Mapping[str, Json]:
    """All that is worth keeping of what Kodi says. The runtime is its claim, in whole seconds: no length to be scheduled by."""
    first = items[0]
    kept: dict[str, object] = {
        "runtime_s": first.get("runtime"),
        "streams": first.get("streamdetails"),
        "genres": (show or first).get("genre"),
        "items": [{name: each[name] for name in ("title", "artist", "plot", "uniqueid") if each.get(name)} for each in items],
    }
    if show:
        kept["show"] = {name: show[name] for name in ("title", "plot", "uniqueid") if show.get(name)}
    return {"kodi": {name: value for name, value in kept.items() if value}}
