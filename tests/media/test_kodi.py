"""The importer of Kodi before answers as a Kodi gave them, and before servers that are none, or no longer. The real one is
asked in `tests/test_real_kodi.py`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from retrovue_uow import (
    Catalog,
    Collection,
    ConfigurationError,
    IngestError,
    IngestFilters,
    PathMapping,
    ResourceError,
    ValidationError,
    as_json,
)
from retrovue_uow.media import kodi
from retrovue_uow.media.kodi import KodiImporter
from retrovue_uow.testing import snapshot

Answer = Callable[[socket.socket, Any], None]
PASSWORD = "comet-1958-secret"  # noqa: S105  nobody's
QUICKLY = 60
"""Seconds in which what would hang is over on the busiest machine; the time limit itself is a fraction of one."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server on loopback that reads each request and lets `answer` do what it likes with the connection; its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve_one(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            try:
                head = b"".join(iter(requests.readline, b"\r\n"))
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                answer(connection, json.loads(requests.read(length)))
            except OSError:
                return  # the other side has hung up

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=serve, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()


def send(connection: socket.socket, body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> None:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close", *headers]
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)


def recorded(library: dict[str, Any]) -> Answer:
    """A Kodi with this library: what it has by method, of which `limits` cut a page, and `folders` by path."""

    def answer(connection: socket.socket, request: Any) -> None:
        method, params = request["method"], request["params"]
        if method == "JSONRPC.Version":
            result: Any = {"version": library.get("version", {"major": 13, "minor": 0, "patch": 0})}
        elif method == "Files.GetDirectory":
            listed = [
                {"file": path, "filetype": "directory" if path.endswith("/") else "file"}
                for path in library.get("folders", {}).get(params["directory"], [])
            ]
            result = {"files": listed}
        else:
            name = method.partition(".Get")[2].lower()
            items = library.get(name, [])
            limits = params.get("limits", {"start": 0, "end": len(items)})
            page = items[limits["start"] : limits["end"]]
            result = {"limits": {**limits, "total": len(items)}, **({name: page} if page else {})}
        send(connection, json.dumps({"id": 1, "jsonrpc": "2.0", "result": result}).encode())

    return answer


def episode(number: int, **told: Any) -> dict[str, Any]:
    return {
        "file": f"/media/Shows/Comet/Comet S01E{number:02}.mkv",
        "showtitle": "Captain Comet",
        "title": f"Part {number}",
        "season": 1,
        "episode": number,
        "tvshowid": 1,
        **told,
    }


SHOWS = [{"tvshowid": 1, "title": "Captain Comet", "year": 1958, "genre": ["Science Fiction"], "uniqueid": {"tvdb": "77"}}]
SHOWS_COLLECTION = Collection("c", "s", "Shows")
MAPPING = PathMapping(1, "/media/Shows", "/mnt/shows")


def found(
    library: dict[str, Any], *mappings: PathMapping, folders: list[str] | None = None, **filters: Any
) -> tuple[list[Any], list[tuple[str, str]]]:
    """The drafts of a recorded library, and what is skipped."""
    skipped: list[tuple[str, str]] = []
    with serving(recorded(library)) as url:
        importer = KodiImporter({"url": url, "folders": folders or []})
        drafts = list(
            importer.file_drafts(
                SHOWS_COLLECTION, mappings or (MAPPING,), IngestFilters(**filters), lambda *told: skipped.append(told)
            )
        )
    return drafts, skipped


def test_an_episode_has_what_kodi_tells_of_it_and_of_its_show() -> None:
    told = {"runtime": 1500, "plot": "Rockets.", "uniqueid": {"tvdb": "1001"}, "streamdetails": {"video": [{"width": 720}]}}

    (draft,), _ = found({"tvshows": SHOWS, "episodes": [episode(2, **told)]})

    assert (draft.kind, draft.title, draft.year, draft.season_number) == ("episode", "Captain Comet", 1958, 1)
    assert (draft.episode_numbers, draft.episode_title) == ((2,), "Part 2")
    assert (draft.file_path, draft.source_path) == ("/mnt/shows/Comet/Comet S01E02.mkv", "/media/Shows/Comet/Comet S01E02.mkv")
    assert (draft.size, draft.mtime_ns, draft.duration_ms) == (None, None, None)
    assert draft.metadata == {
        "kodi": {
            "runtime_s": 1500,
            "streams": {"video": [{"width": 720}]},
            "genres": ["Science Fiction"],
            "items": [{"title": "Part 2", "plot": "Rockets.", "uniqueid": {"tvdb": "1001"}}],
            "show": {"title": "Captain Comet", "uniqueid": {"tvdb": "77"}},
        }
    }


def test_a_file_of_two_episodes_is_one_draft() -> None:
    both = "/media/Shows/Comet/Comet S01E03-E04.mkv"

    (draft,), _ = found({"tvshows": SHOWS, "episodes": [episode(4, file=both), episode(3, file=both)]})

    assert (draft.episode_numbers, draft.episode_title, draft.warnings) == ((3, 4), "Part 3 / Part 4", ())


def test_a_file_of_two_shows_is_told_by_the_first_with_a_warning() -> None:
    both = "/media/Shows/Comet/Comet.mkv"

    (draft,), _ = found({"tvshows": SHOWS, "episodes": [episode(3, file=both), episode(1, file=both, season=0)]})

    assert (draft.season_number, draft.episode_numbers) == (1, (3,))
    assert "several shows or seasons" in draft.warnings[0]


@pytest.mark.parametrize("told", [{"showtitle": ""}, {"season": -1}, {"episode": "x"}, {"episode": None}])
def test_an_episode_that_kodi_cannot_place_is_left_to_the_enrichers(told: dict[str, Any]) -> None:
    (draft,), _ = found({"episodes": [episode(1, **told)]})

    assert (draft.kind, draft.title, draft.episode_numbers) == (None, None, ())


@pytest.mark.parametrize(("year", "known"), [(1985, 1985), (0, None), (1601, None), ("1985", None)])
def test_a_movie_has_its_year_where_kodi_knows_one(year: Any, known: int | None) -> None:
    (draft,), _ = found({"movies": [{"title": "Brazil", "year": year, "file": "/media/Shows/Brazil.mkv", "genre": ["SF"]}]})

    assert (draft.kind, draft.title, draft.year, draft.metadata["kodi"]["genres"]) == ("movie", "Brazil", known, ["SF"])


ODD = "/media/Station/b\udcfcndel/"
"""A folder whose name is not UTF-8."""
STATION = {"label": "Station", "file": "/media/Station/"}


def test_what_the_folders_that_are_named_have_besides_is_found_once() -> None:
    folders = {
        "/media/Station/": [
            "/media/Station/Comet/",
            "/media/Station/.hidden/",
            "/media/Station/bump.mkv",
            "/media/Station/a.txt",
            ODD,
        ],
        "/media/Station/Comet/": [
            "/media/Station/Comet/E01.mkv",
            "/media/Station/Comet/E01.nfo",
            "/media/Station/Comet/a.strm",
        ],
        "/media/Station/.hidden/": ["/media/Station/.hidden/no.mkv"],
        "/media/Shows/": ["/media/Shows/forgotten.mkv"],
    }
    library = {
        "sources": [STATION, {"label": "Shows", "file": "/media/Shows/"}],
        "folders": folders,
        "episodes": [episode(1, file="/media/Station/Comet/E01.mkv")],
        "musicvideos": [{"title": "Song", "file": "/media/Station/song.mkv"}],
    }

    drafts, skipped = found(library, PathMapping(1, "/media", "/mnt"), folders=["Station"])

    assert [(draft.source_path.rpartition("/")[2], draft.kind) for draft in drafts] == [
        ("E01.mkv", "episode"),
        ("song.mkv", "other"),
        ("bump.mkv", None),
    ]
    assert sorted(skipped) == [("not_utf8", ODD), ("strm", "/media/Station/Comet/a.strm")]


def test_a_folder_that_a_link_leads_back_to_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    folders = {
        "/media/Station/": ["/media/Station/bump.mkv", "/media/Station/loop/"],
        "/media/Station/loop/": ["/media/Station/loop/bump.mkv", "/media/Station/loop/loop/"],
    }
    library = {"sources": [STATION], "folders": folders}

    drafts, _ = found(library, PathMapping(1, "/media/Station", str(tmp_path)), folders=["Station"])

    assert [draft.source_path for draft in drafts] == ["/media/Station/bump.mkv"]


def test_a_folder_that_kodi_has_not_is_named() -> None:
    with pytest.raises(ValidationError, match="has no video source 'Sation'"):
        found({"sources": [STATION]}, folders=["Sation"])


def test_what_can_be_no_asset_is_skipped_by_reason() -> None:
    files = [
        "stack:///media/Shows/Alien CD1.avi , /media/Shows/Alien CD2.avi",
        "plugin://plugin.video.tube/play?apikey=supersecret",
        "/media/Shows/stream.strm",
        "/media/Shows/../Elsewhere/odd.mkv",
        "smb://nas/Movies/of another collection.mkv",
        "/media/Movies/of another collection.mkv",
    ]

    drafts, skipped = found({"movies": [{"title": "Alien", "file": file} for file in files]})

    assert drafts == []
    assert skipped == [
        ("stack", files[0]),
        ("plugin", "plugin://plugin.video.tube/play?apikey=***"),
        ("strm", files[2]),
        ("no_path", files[3]),
    ]


@pytest.mark.parametrize(
    ("source_path", "file"),
    [
        ("smb://nas/TV", "smb://nas/TV/Äther.mkv"),
        ("nfs://10.0.0.2/tv", "nfs://10.0.0.2/tv/Äther.mkv"),
        ("smb://kodi:***@nas/TV", "smb://kodi:word@nas/TV/Äther.mkv"),
        ("C:/TV", "C:\\TV\\Äther.mkv"),
        ("/Ä", "/Ä/Äther.mkv"),
    ],
)
def test_a_path_is_mapped_and_its_names_stay_as_kodi_spells_them(source_path: str, file: str) -> None:
    decomposed = file.replace("Ä", "A\u0308")

    (draft,), _ = found({"movies": [{"title": "Äther", "file": decomposed}]}, PathMapping(1, source_path, "/mnt/tv"))

    assert draft.file_path == "/mnt/tv/A\u0308ther.mkv"


def test_an_ingest_of_a_folder_is_asked_for_that_folder_alone() -> None:
    folders = {
        "/media/Station/": ["/media/Station/Comet/", "/media/Station/Dark/"],
        "/media/Station/Comet/": ["/media/Station/Comet/a.mkv"],
    }
    library = {
        "sources": [STATION],
        "folders": folders,
        "episodes": [
            episode(number, file=f"/media/Station/{name}/{number}.mkv") for number, name in enumerate(("Comet", "Dark"))
        ],
    }
    mapping = PathMapping(1, "/media/Station", "/mnt/station")

    drafts, _ = found(library, mapping, folders=["Station"], under="/mnt/station/Comet")

    assert [draft.source_path for draft in drafts] == ["/media/Station/Comet/0.mkv", "/media/Station/Comet/a.mkv"]


def test_every_page_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kodi, "PAGE", 3)

    drafts, _ = found({"tvshows": SHOWS, "episodes": [episode(number) for number in range(1, 8)]})

    assert [draft.episode_numbers for draft in drafts] == [(number,) for number in range(1, 8)]


def test_collections_are_the_sources_and_what_is_here_is_mapped(tmp_path: Path) -> None:
    here = f"{tmp_path}/"
    sources = [
        {"label": "Here", "file": here},
        {"label": "NAS", "file": "smb://kodi:word@nas/TV/"},
        {"label": "Both", "file": f"multipath://{here.replace('/', '%2f')}/%2fnowhere%2fat%20all%2f/"},
    ]
    with serving(recorded({"sources": sources})) as url:
        listed = [(each.name, each.external_id, dict(each.path_mappings)) for each in KodiImporter({"url": url}).collections()]

    here_alone = {str(tmp_path): str(tmp_path)}
    assert listed == [
        ("Here", here, here_alone),
        ("NAS", "smb://kodi:***@nas/TV/", {}),
        ("Both", sources[2]["file"], here_alone),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"url": 8080},
        {"url": "localhost:8080"},
        {"url": "ftp://localhost"},
        {"url": "http://"},
        {"url": f"http://kodi:{PASSWORD}@localhost:8080"},
        {"url": f"http://kodi:{PASSWORD}/x@localhost"},
        {"url": "http://localhost:8080", "username": 5},
        {"url": "http://localhost:8080", "password": None},
        {"url": "http://localhost:8080", "port": 1},
        {"url": "http://localhost:8080", "folders": "Station"},
        *({"url": "http://localhost:8080", "timeout_s": timeout_s} for timeout_s in (0, -1, True, "5", float("nan"), 10**6)),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_without_its_secrets(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="the kodi importer") as caught:
        KodiImporter(config)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("version", [{"major": 11}, {"major": "13"}, {}, None])
def test_a_kodi_that_is_too_old_is_refused(version: object) -> None:
    with serving(recorded({"version": version})) as url, pytest.raises(ResourceError, match="Kodi 19 or later"):
        KodiImporter({"url": url}).check()


def trickle(connection: socket.socket, request: Any) -> None:
    """A byte at a time, each of which resets a limit on the single read."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 10**6:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def trickle_the_body(connection: socket.socket, request: Any) -> None:
    send(connection, b"", length=10**6)
    for _ in range(10**6):
        connection.sendall(b" ")
        time.sleep(0.05)


def say_nothing(connection: socket.socket, request: Any) -> None:
    connection.recv(1)


def two_gigabytes(connection: socket.socket, request: Any) -> None:
    send(connection, b"", length=2 * 2**30)
    while True:
        connection.sendall(b" " * 2**20)


def deep(connection: socket.socket, request: Any) -> None:
    send(connection, b'{"result": ' + b"[" * 10_000 + b"]" * 10_000 + b"}")


def saying(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Answer:
    return lambda connection, request: send(connection, body, status, *headers, length=length)


HOSTILE: dict[str, tuple[Answer, str]] = {
    "hangs": (say_nothing, "gave no whole answer within 0.3 s"),
    "trickles": (trickle, "gave no whole answer within 0.3 s"),
    "trickles the body": (trickle_the_body, "gave no whole answer within 0.3 s"),
    "hangs up": (lambda connection, request: None, "cannot be reached"),
    "dies in the middle": (saying(b'{"result": {"ver', length=1000), "something else than JSON"),
    "HTML": (saying(b"<html>", "200 OK", "Content-Type: text/html"), "something else than JSON"),
    "500": (saying(b"oops", "500 Internal Server Error"), "with status 500"),
    "not found": (saying(b"", "404 Not Found"), "with status 404"),
    "no HTTP": (lambda connection, request: connection.sendall(b"220 mail ready\r\n"), "cannot be reached"),
    "two gigabytes": (two_gigabytes, "more than 16 MiB"),
    "deep JSON": (deep, "something else than JSON"),
    "a list": (saying(b"[1]"), "refused JSONRPC.Version"),
    "a number": (saying(b"1"), "refused JSONRPC.Version"),
    "an error": (saying(b'{"error": {"code": -32601, "message": "Method not found."}}'), "Method not found"),
    "odd text": (saying(b'{"result": {"version": "\xff"}}'), "Kodi 19 or later"),
    "401": (saying(b"", "401 Unauthorized"), "refuses the username and password"),
    "another host": (
        saying(b"", "302 Found", "Location: http://evil.example/?token=abcdef"),
        "sends us to 'http://evil.example/",
    ),
}


@pytest.fixture(params=HOSTILE, ids=str)
def hostile(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The address of a server that does not do what a Kodi does, and what is said of it."""
    answer, told = HOSTILE[request.param]
    with serving(answer) as url:
        yield url, told


def test_what_a_hostile_server_does_is_told_in_time(hostile: tuple[str, str]) -> None:
    url, told = hostile
    timeout_s = 0.3 if "0.3 s" in told else 30
    importer = KodiImporter({"url": url, "username": "kodi", "password": PASSWORD, "timeout_s": timeout_s})
    started = time.monotonic()

    with pytest.raises(ResourceError, match=told) as caught:
        importer.check()

    assert time.monotonic() - started < QUICKLY
    assert f"Kodi at {url!r}" in str(caught.value)
    assert not any(secret in repr(caught.value) for secret in (PASSWORD, "abcdef"))
    deadline = time.monotonic() + QUICKLY
    while any(each.name == "retrovue-time-limit" for each in threading.enumerate()):
        assert time.monotonic() < deadline, "a late answer keeps its thread"
        time.sleep(0.01)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ResourceError, match=r"cannot be reached .*refused"):
        KodiImporter({"url": f"http://127.0.0.1:{port}"}).check()


@pytest.fixture
def stocked(tmp_path: Path, media: Path) -> Iterator[tuple[Catalog, dict[str, Any]]]:
    """A catalogue that has the ten episodes of a recorded server, and that server's library, which a test may change."""
    library: dict[str, Any] = {"tvshows": SHOWS, "episodes": [episode(number) for number in range(1, 11)]}
    for number in range(1, 11):
        file = media / "Comet" / f"Comet S01E{number:02}.mkv"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * number)
    answer = recorded(library)
    with (
        serving(lambda connection, request: library.get("hostile", answer)(connection, request)) as url,
        Catalog(tmp_path / "kodi.db") as catalog,
    ):
        catalog.add_source("server", "kodi", {"url": url, "password": PASSWORD, "timeout_s": 1})
        catalog.add_collection("server", "Shows", path_mappings={"/media/Shows": str(media)})
        catalog.ingest_collection("Shows")
        yield catalog, library


def test_a_second_ingest_finds_all_unchanged(stocked: tuple[Catalog, dict[str, Any]]) -> None:
    catalog, _ = stocked
    before = snapshot(catalog, journal=False)

    assert catalog.ingest_collection("Shows").unchanged == 10
    assert snapshot(catalog, journal=False) == before
    assert catalog.metadata(catalog.assets()[0].id)["kodi"]["genres"] == ["Science Fiction"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_server_that_turns_hostile_writes_nothing_and_leaves_no_claim(
    stocked: tuple[Catalog, dict[str, Any]], name: str, after: int
) -> None:
    """At the check, in front of the first page, behind it."""
    catalog, library = stocked
    behaving, hostile, calls = recorded(library), HOSTILE[name][0], []

    def answer(connection: socket.socket, request: Any) -> None:
        calls.append(request["method"])
        (behaving if len(calls) <= after else hostile)(connection, request)

    library["episodes"] = [episode(number) for number in range(2, 12)]
    library["hostile"] = answer
    before = snapshot(catalog)

    with pytest.raises(IngestError) as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, ResourceError)
    assert snapshot(catalog) == before
    assert PASSWORD not in repr(caught.value)
    del library["hostile"]
    assert catalog.ingest_collection("Shows").missing == 1  # nobody holds the claim


def test_a_library_that_changes_between_two_pages_is_refused(
    stocked: tuple[Catalog, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, library = stocked
    monkeypatch.setattr(kodi, "PAGE", 4)
    behaving = recorded(library)

    def answer(connection: socket.socket, request: Any) -> None:
        behaving(connection, request)
        if request["method"] == "VideoLibrary.GetEpisodes":
            library["episodes"] = library["episodes"][1:]

    library["hostile"] = answer

    with pytest.raises(IngestError, match="changed while it was read"):
        catalog.ingest_collection("Shows")


def test_a_server_that_lost_most_of_its_library_is_refused_with_the_figure(stocked: tuple[Catalog, dict[str, Any]]) -> None:
    catalog, library = stocked
    library["episodes"] = library["episodes"][:4]
    before = snapshot(catalog)

    with pytest.raises(
        IngestError, match=r"names 4 of the 10 files .*more than the part of 0\.5 .*--max-missing 1\.0"
    ) as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, ResourceError)
    assert snapshot(catalog) == before
    assert catalog.ingest_collection("Shows", max_missing=0.6).missing == 6


@pytest.mark.parametrize("options", [{"max_missing": 1.0}, {"max_missing": 1}, {"allow_empty": True}])
def test_a_server_that_forgot_everything_is_believed_where_the_operator_says_so(
    stocked: tuple[Catalog, dict[str, Any]], options: dict[str, Any]
) -> None:
    catalog, library = stocked
    library["episodes"] = []

    with pytest.raises(IngestError, match="names 0 of the 10 files"):
        catalog.ingest_collection("Shows")
    with pytest.raises(IngestError, match="names 0 of the 10 files"):
        catalog.prepare_ingest("Shows", as_if_empty=True)
    (failure,) = catalog.ingest_source("server").failures
    assert "names 0 of the 10 files" in failure.message

    assert catalog.ingest_collection("Shows", **options).missing == 10


def test_what_was_missing_already_and_what_is_not_asked_about_is_no_loss(stocked: tuple[Catalog, dict[str, Any]]) -> None:
    catalog, library = stocked
    library["episodes"] = library["episodes"][:5]
    assert catalog.ingest_collection("Shows").missing == 5
    library["episodes"] = library["episodes"][:3]
    assert catalog.ingest_collection("Shows").missing == 2
    library["episodes"] = library["episodes"][:1]

    assert catalog.ingest_collection("Shows", IngestFilters(title="Captain Comet")).missing == 0
    assert catalog.ingest_collection("Shows", IngestFilters(exclude=("*E02.mkv", "*E03.mkv"))).missing == 0


def test_what_the_server_names_and_the_disk_has_not_is_no_loss_of_the_server(
    stocked: tuple[Catalog, dict[str, Any]], media: Path
) -> None:
    catalog, _ = stocked
    for number in range(1, 8):
        (media / "Comet" / f"Comet S01E{number:02}.mkv").unlink()

    result = catalog.ingest_collection("Shows")

    assert (result.missing, result.unreachable) == (7, 7)


@pytest.mark.parametrize("part", [-0.1, 1.1, True, "half", float("nan"), float("inf")])
def test_a_part_that_is_none_is_refused(stocked: tuple[Catalog, dict[str, Any]], part: Any) -> None:
    catalog, _ = stocked

    with pytest.raises(IngestError, match="max_missing must be a number from 0 to 1"):
        catalog.ingest_collection("Shows", max_missing=part)


def test_a_stated_part_holds_for_a_folder_too(catalog: Catalog, media: Path) -> None:
    catalog.add_source("disk")
    catalog.add_collection("disk", "Videos", path_mappings={str(media): str(media)})
    for number in range(4):
        (media / f"Comet S01E0{number}.mkv").write_bytes(b"x")
    catalog.ingest_collection("Videos")
    (media / "Comet S01E00.mkv").unlink()

    with pytest.raises(IngestError, match="names 3 of the 4 files"):
        catalog.ingest_collection("Videos", max_missing=0.2)
    assert catalog.ingest_collection("Videos").missing == 1


def test_what_is_skipped_is_listed_whether_or_not_broken_files_are_recorded(stocked: tuple[Catalog, dict[str, Any]]) -> None:
    catalog, library = stocked
    library["movies"] = [{"title": "Alien", "file": "stack:///media/Shows/a.avi , /media/Shows/b.avi"}]

    for broken in ("refuse", "record"):
        result = catalog.ingest_collection("Shows", broken=broken)
        assert result.skipped == {"stack": ("stack:///media/Shows/a.avi , /media/Shows/b.avi",)}


def test_the_password_is_shown_nowhere(stocked: tuple[Catalog, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, _ = stocked

    assert PASSWORD not in json.dumps(as_json(catalog.sources()))
    assert PASSWORD not in json.dumps(as_json(catalog.history()))
    monkeypatch.delenv("KODI_PASSWORD", raising=False)
    catalog.add_source("other", "kodi", {"url": "http://127.0.0.1:9", "password": "word"})
    with pytest.raises(ConfigurationError, match=r"'KODI_PASSWORD'.*is not set"):
        catalog.add_source("third", "kodi", {"url": "http://127.0.0.1:9", "password": "env:KODI_PASSWORD"})


def test_credentials_go_into_the_header_and_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def record() -> None:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(2**16))

        thread = threading.Thread(target=record)
        thread.start()
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        importer = KodiImporter({"url": f"http://127.0.0.1:{server.getsockname()[1]}", "password": "word"})
        with pytest.raises(ResourceError):
            importer.check()
        thread.join()

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /jsonrpc HTTP/1.1\r\n")
    assert b"Authorization: Basic a29kaTp3b3Jk" in head
    assert b"word" not in head + body


def test_ctrl_c_is_answered_while_the_server_says_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, threading, os, signal\n"
        "from retrovue_uow.media.kodi import KodiImporter\n"
        "from retrovue_uow.media import plugins\n"
        "from retrovue_uow import Collection, IngestFilters, PathMapping\n"
        "importer = KodiImporter({'url': sys.argv[1], 'timeout_s': 600})\n"
        "collection = Collection('c', 's', 'Shows', path_mappings=(PathMapping(1, '/m', '/m'),))\n"
        "print('asking', flush=True)\n"
        "try:\n"
        "    plugins.discover(importer, collection, IngestFilters(), print)\n"
        "except KeyboardInterrupt:\n"
        "    print('answered')\n"
    )
    with serving(say_nothing) as url:
        asking = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True)
        assert asking.stdout is not None
        with asking.stdout:
            assert asking.stdout.readline() == "asking\n"
            time.sleep(0.3)
            asking.send_signal(signal.SIGINT)
            assert asking.stdout.read() == "answered\n"
        assert asking.wait(QUICKLY) == 0
