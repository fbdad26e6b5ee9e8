"""What the importer makes of answers such as Jellyfin's documentation has them. `retrovue_catalog` comes with the plugin."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jellyfin_source import importer

from retrovue_uow import Catalog, ConfigurationError, IngestError
from retrovue_uow.testing import assert_unchanged

KEY = "d41d8cd98f00b204"


class Jellyfin(ThreadingHTTPServer):
    """Recorded answers: libraries, and what is in them."""

    def __init__(self, media: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.libraries = [{"Name": "Shows", "ItemId": "11", "Locations": [str(media)], "CollectionType": "tvshows"}]
        self.items: list[dict[str, Any]] = [
            {"Id": "21", "Type": "Series", "Name": "Captain Comet", "ProductionYear": 1958},
            *(episode(number, str(media / f"Comet E{number}.mkv")) for number in range(1, 5)),
            {**episode(5, str(media / "Comet E5-E6.mkv")), "IndexNumberEnd": 6},
            {**episode(7, ""), "LocationType": "Virtual"},
            {"Id": "31", "Type": "Movie", "Name": "Brazil", "ProductionYear": 1985, "Path": str(media / "Brazil.mkv")},
        ]
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def episode(number: int, path: str) -> dict[str, Any]:
    return {
        "Id": f"4{number}",
        "Type": "Episode",
        "Name": f"Part {number}",
        "SeriesName": "Captain Comet",
        "SeriesId": "21",
        "ParentIndexNumber": 1,
        "IndexNumber": number,
        "Path": path,
        "LocationType": "FileSystem",
        "Overview": "Rockets.",
    }


class Answer(BaseHTTPRequestHandler):
    server: Jellyfin

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if f'Token="{KEY}"' not in self.headers.get("Authorization", ""):
            return self._send(401, None)
        if url.path == "/Items":
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            wanted = query["includeItemTypes"].split(",") if query["parentId"] == "11" else ()
            found = [item for item in self.server.items if item["Type"] in wanted]
            start, limit = int(query["startIndex"]), int(query["limit"])
            return self._send(self.server.status, {"Items": found[start : start + limit], "TotalRecordCount": len(found)})
        return self._send(200, self.server.libraries if url.path == "/Library/VirtualFolders" else {"Version": "10.10.0"})

    def _send(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is pytest's."""


@pytest.fixture
def jellyfin(retrovue_media_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Jellyfin]:
    monkeypatch.setattr(importer, "PAGE", 3)
    monkeypatch.setenv("JELLYFIN_KEY", KEY)
    media = retrovue_media_folder(*(f"Comet E{number}.mkv" for number in (1, 2, 3, 4, "5-E6")), "Brazil.mkv", folder="shows")
    with Jellyfin(media) as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.02])
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def station(retrovue_catalog: Catalog, jellyfin: Jellyfin) -> Catalog:
    retrovue_catalog.add_source("jellyfin", "jellyfin", {"url": jellyfin.url, "api_key": "env:JELLYFIN_KEY"})
    retrovue_catalog.discover_collections("jellyfin")
    retrovue_catalog.enable_collection("Shows")
    return retrovue_catalog


def test_a_library_is_ingested_page_by_page(station: Catalog) -> None:
    result = station.ingest_collection("Shows")

    assert (result.created, result.skipped) == (6, {"virtual": ("Part 7",)})
    assert [(title.name, title.year, title.episodes) for title in station.titles()] == [
        ("Brazil", 1985, 0),
        ("Captain Comet", 1958, 6),
    ]
    assert station.ingest_collection("Shows").unchanged == 6


def test_a_server_that_lost_its_library_is_refused(station: Catalog, jellyfin: Jellyfin) -> None:
    station.ingest_collection("Shows")
    jellyfin.items = jellyfin.items[:2]

    with assert_unchanged(station), pytest.raises(IngestError, match="names 1 of the 6 files"):
        station.ingest_collection("Shows")


def test_a_server_that_fails_in_the_middle_changes_nothing(station: Catalog, jellyfin: Jellyfin) -> None:
    jellyfin.status = 500

    with assert_unchanged(station), pytest.raises(IngestError, match="answered with status 500"):
        station.ingest_collection("Shows")


def test_a_wrong_key_is_told_and_not_shown(retrovue_catalog: Catalog, jellyfin: Jellyfin) -> None:
    retrovue_catalog.add_source("jellyfin", "jellyfin", {"url": jellyfin.url, "api_key": "another-key"})

    with pytest.raises(ConfigurationError, match="does not accept the API key") as caught:
        retrovue_catalog.discover_collections("jellyfin")
    assert "another-key" not in str(caught.value)
