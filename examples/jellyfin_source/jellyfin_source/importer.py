"""An importer written from Jellyfin's documentation (https://api.jellyfin.org/), and never tried against a server."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from retrovue_uow import AssetDraft, Collection, FoundCollection, IngestFilters, PathMapping, ResourceError, ValidationError

PAGE = 500
MAX_BYTES = 16 * 2**20
Item = Mapping[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: what it leads to would be sent the key."""

    def redirect_request(self, *_: object) -> None:
        return None


class JellyfinImporter:
    """Finds the episodes and movies of a Jellyfin server.

    Configuration: `url`, such as `http://localhost:8096`, and `api_key`.
    """

    timeout_s = 60.0  # until the next draft, or the answer of `check` and `collections`; the library keeps to it
    max_missing = 0.5  # a server that names less than half of what it had has lost its library

    def __init__(self, config: Mapping[str, Any]) -> None:
        url, key = config.get("url"), config.get("api_key")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not isinstance(key, str):
            raise ValidationError("the jellyfin importer needs 'url', like 'http://localhost:8096', and 'api_key'")
        self._url = url.rstrip("/")
        self._headers = {
            "Authorization": f'MediaBrowser Token="{quote(key)}", Client="retrovue_uow"',
            "Accept": "application/json",
        }
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)

    def check(self) -> None:
        self._get("/System/Info")  # which only those may read who are let in

    def collections(self) -> Iterable[FoundCollection]:
        for library in self._get("/Library/VirtualFolders"):
            here = [path for path in library["Locations"] if os.path.isdir(path)]
            yield FoundCollection(library["Name"], library["ItemId"], {path: path for path in here})

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        return self.file_drafts(collection, mappings, filters, lambda _reason, _path: None)

    def file_drafts(
        self,
        collection: Collection,
        mappings: Sequence[PathMapping],
        filters: IngestFilters,
        skip: Callable[[str, str], None],
    ) -> Iterator[AssetDraft]:
        library = collection.external_id
        years = {series["Id"]: series.get("ProductionYear") for series in self._items(library, "Series")}
        for item in self._items(library, "Episode,Movie"):
            path = item.get("Path")
            if not path or item.get("LocationType") not in (None, "FileSystem"):
                skip("virtual", item.get("Name", ""))  # an episode that the server knows of, and has no file of
                continue
            for mapping in mappings:
                if path.startswith(f"{mapping.source_path}/"):
                    local_path = mapping.local_path + path.removeprefix(mapping.source_path)
                    yield AssetDraft(local_path, path, **_known(item, years))
                    break

    def _items(self, library: str | None, types: str) -> Iterator[Item]:
        start, total = 0, 1
        while start < total:
            query: dict[str, str | int] = {
                "recursive": "true",
                "includeItemTypes": types,
                "fields": "Path,Overview,Genres,ProviderIds",
                "sortBy": "DateCreated,SortName",
                "startIndex": start,
                "limit": PAGE,
                **({"parentId": library} if library else {}),
            }
            page = self._get(f"/Items?{urlencode(query)}")
            yield from page["Items"]
            start, total = start + PAGE, page["TotalRecordCount"]

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(  # noqa: S310  its scheme was looked at
            f"{self._url}{path}", headers=self._headers
        )
        try:
            with self._opener.open(request, timeout=self.timeout_s) as response:
                body = response.read(MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                wrong = "does not accept the API key" if error.code in (401, 403) else f"answered with status {error.code}"
            raise ResourceError(f"Jellyfin at {self._url!r} {wrong}: look at its dashboard") from error
        except OSError as error:
            raise ResourceError(f"Jellyfin at {self._url!r} cannot be reached ({error}): is it running?") from error
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ResourceError(
                f"what answers at {self._url!r} is no Jellyfin, or answers too much: correct the 'url'"
            ) from error


def _known(item: Item, years: Mapping[str, int | None]) -> dict[str, Any]:
    told = {name: item[name] for name in ("Overview", "Genres", "ProviderIds", "RunTimeTicks") if item.get(name)}
    if item["Type"] == "Movie":
        return {
            "kind": "movie",
            "title": item["Name"],
            "year": item.get("ProductionYear"),
            "metadata": {"jellyfin": told},
        }
    first, last = item.get("IndexNumber"), item.get("IndexNumberEnd")
    if item.get("SeriesName") is None or item.get("ParentIndexNumber") is None or first is None:
        return {"metadata": {"jellyfin": told}}  # an enricher may know more
    return {
        "kind": "episode",
        "title": item["SeriesName"],
        "year": years.get(item.get("SeriesId", "")),
        "season_number": item["ParentIndexNumber"],
        "episode_numbers": tuple(range(first, (last or first) + 1)),
        "episode_title": item.get("Name"),
        "metadata": {"jellyfin": told},
    }
